/* `audit verify` and `audit tail`: offline, over the journal's folder. */
#include "cli/command.h"

#include "base/text.h"
#include "evidence/audit_files.h"
#include "evidence/replay.h"
#include "store/store_session.h"
#include "sys/file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { FINDINGS_SHOWN = 100, ANCHORS_MAX = 16, KEY_MAX = 4096, TAIL_LINES = 20, TAIL_MAX = 10000 };

/* --- what to look at ---------------------------------------------------------------------- */

typedef struct Audit {
    Cli *cli;
    const char *journal;
    Id *live;
    size_t live_count, live_room;
    Bytes anchors[ANCHORS_MAX];
    size_t anchor_count;
    Bytes public_key;
    uint64_t shown;
    bool json;
} Audit;

static Err add_live(void *ctx, const StoreSession *session)
{
    Audit *a = ctx;
    void *mem;

    if (a->live_count == a->live_room) {
        const size_t room = a->live_room > 0 ? 2 * a->live_room : 64;
        TRY(arena_array(&a->cli->arena, room, sizeof *a->live, &mem));
        if (a->live_count > 0)
            memcpy(mem, a->live, a->live_count * sizeof *a->live);
        a->live = mem;
        a->live_room = room;
    }
    a->live[a->live_count++] = session->id;
    return OK;
}

/* The census of open sessions, from the state beside the journal; without it, they show as
 * sessions without an end. */
static void read_census(Audit *a)
{
    static const Bytes SQLITE = LIT_INIT("sqlite:");
    const Bytes state = a->cli->config.storage.state;
    const char *path;
    Store *store;

    if (!text_starts(state, SQLITE) ||
        arena_string(&a->cli->arena, bytes_from(state, SQLITE.len), &path) != OK ||
        store_open(path, STORE_READ, &store) != OK)
        return;
    if (store_session_each(store, &(SessionFilter){ .live = true }, add_live, a) != OK)
        (void)cli_say(0, "the census of open sessions cannot be read");
    store_close(store);
}

static bool read_into(Cli *c, const char *path, size_t max, Bytes *ret)
{
    CLEANUP(buf_done) Buf text = { 0 };

    buf_init(&text, max);
    if (file_read_all(path, &text) != OK || arena_copy(&c->arena, buf_view(&text), ret) != OK) {
        (void)cli_say(0, "cannot read %s: %s", path, strerror(errno));
        return false;
    }
    return true;
}

static bool choose_journal(Audit *a)
{
    a->journal = cli_option(a->cli, "journal");
    if (a->journal != NULL)
        return true;
    if (!cli_config(a->cli))
        return false;
    return arena_string(&a->cli->arena, a->cli->config.storage.journal, &a->journal) == OK;
}

static bool read_options(Audit *a)
{
    Cli *c = a->cli;
    const char *key = cli_option(c, "public-key");

    if (!choose_journal(a))
        return false;
    if (key != NULL && !read_into(c, key, KEY_MAX, &a->public_key))
        return false;
    for (size_t i = 0; i < c->option_count; i++) {
        if (strcmp(c->options[i].name, "anchor") != 0)
            continue;
        if (a->anchor_count == ANCHORS_MAX ||
            !read_into(c, c->options[i].value, CHECKPOINT_MAX, &a->anchors[a->anchor_count++]))
            return false;
    }
    if (cli_option(c, "journal") == NULL)
        read_census(a);
    return true;
}

/* --- verify ------------------------------------------------------------------------------- */

static void found(void *ctx, const AuditFinding *f)
{
    Audit *a = ctx;
    Id session;

    if (a->shown++ >= FINDINGS_SHOWN)
        return;
    memcpy(session.bytes, f->session_id, sizeof session.bytes);
    const IdText id = id_text('s', &session);
    (void)fprintf(stderr, "%s: %.*s segment=%llu offset=%llu seq=%llu%s%s\n",
                  audit_kind_is_integrity(f->kind) ? "altered" : "missing",
                  SHOW(audit_kind_name(f->kind)), (unsigned long long)f->segment,
                  (unsigned long long)f->offset, (unsigned long long)f->seq,
                  id_is_zero(&session) ? "" : " session=", id_is_zero(&session) ? "" : id.text);
}

static void print_verdict(const Audit *a, const AuditVerdict *v)
{
    (void)printf("integrity     %s\n", v->intact ? "intact: nothing that is here was altered"
                                                 : "TAMPERED: see the findings above");
    (void)printf("completeness  %s\n", v->complete ? "complete: nothing is missing"
                                                   : "INCOMPLETE: see the findings above");
    if (v->lost_to > 0)
        (void)printf("              incomplete from record %llu to at least %llu: a restore from a "
                     "backup lost them\n",
                     (unsigned long long)v->lost_from, (unsigned long long)v->lost_to);
    (void)printf("anchor        %s\n", a->anchor_count > 0
                                           ? "a checkpoint from outside was checked against"
                                           : "none: self-consistent only");
    (void)printf("records       %llu in %llu segments, %llu of them not in the ledger yet\n",
                 (unsigned long long)v->records, (unsigned long long)v->segments,
                 (unsigned long long)v->unlogged);
    (void)printf("ledger        %llu leaves, signed up to %llu\n", (unsigned long long)v->log_size,
                 (unsigned long long)v->last_checkpoint.size);
    (void)printf("sessions      %llu closed, %llu live\n", (unsigned long long)v->sessions_closed,
                 (unsigned long long)v->sessions_live);
    (void)printf("findings      %llu\n", (unsigned long long)v->findings);
}

static void print_verdict_json(const Audit *a, const AuditVerdict *v)
{
    (void)printf("{\"schema_version\":1,\"intact\":%s,\"complete\":%s,\"anchored\":%s,"
                 "\"findings\":%llu,\"records\":%llu,\"segments\":%llu,\"unlogged\":%llu,"
                 "\"log_size\":%llu,\"signed_size\":%llu,\"sessions_closed\":%llu,"
                 "\"sessions_live\":%llu,\"lost_from\":%llu,\"lost_to\":%llu}\n",
                 v->intact ? "true" : "false", v->complete ? "true" : "false",
                 a->anchor_count > 0 ? "true" : "false", (unsigned long long)v->findings,
                 (unsigned long long)v->records, (unsigned long long)v->segments,
                 (unsigned long long)v->unlogged, (unsigned long long)v->log_size,
                 (unsigned long long)v->last_checkpoint.size,
                 (unsigned long long)v->sessions_closed, (unsigned long long)v->sessions_live,
                 (unsigned long long)v->lost_from, (unsigned long long)v->lost_to);
}

int command_audit_verify(Cli *c)
{
    Audit a = { .cli = c };
    AuditVerdict v;
    const char *what;

    if (!read_options(&a))
        return EXIT_USAGE;
    const AuditFiles files = { .journal = a.journal,
                               .public_key = a.public_key,
                               .live = a.live,
                               .live_count = a.live_count,
                               .anchors = a.anchors,
                               .anchor_count = a.anchor_count,
                               .found = found,
                               .ctx = &a };
    const Err err = audit_files_verify(&files, &v, &what);
    if (err != OK)
        return cli_say(EXIT_USAGE, "%s/%s cannot be %s: %s", a.journal, what,
                       err == ERR_IO ? "read" : "used",
                       err == ERR_IO ? strerror(errno) : "not what it should be");
    if (c->format == FORMAT_TABLE)
        print_verdict(&a, &v);
    else
        print_verdict_json(&a, &v);
    if (!v.intact)
        return EXIT_TAMPERED;
    const bool unanchored = cli_option(c, "require-anchor") != NULL && a.anchor_count == 0;
    return v.complete && !unanchored ? EXIT_DONE : EXIT_INCOMPLETE;
}

/* --- tail --------------------------------------------------------------------------------- */

static size_t count_records(const char *journal, uint64_t id)
{
    SegmentReader r;
    SegmentFrame f;
    Bytes file;
    size_t count = 0;

    if (file_map(audit_segment_path(journal, id).text, &file) != OK)
        return 0;
    if (segment_reader_init(&r, file) == OK)
        while (segment_next(&r, &f) == SEGMENT_RECORD)
            count++;
    file_unmap(file);
    return count;
}

static void print_record(const SegmentFrame *f)
{
    char when[24];
    Id session;

    memcpy(session.bytes, f->leaf.session_id, sizeof session.bytes);
    const IdText id = id_text('s', &session);
    replay_time(f->leaf.time_unix_ns, when);
    (void)printf("%s  %-16.*s  segment %llu  seq %llu  %s\n", when,
                 SHOW(leaf_type_name(f->leaf.type)), (unsigned long long)f->leaf.segment,
                 (unsigned long long)f->leaf.seq, id_is_zero(&session) ? "-" : id.text);
}

static void print_records(const char *journal, uint64_t id, size_t skip)
{
    SegmentReader r;
    SegmentFrame f;
    Bytes file;

    if (file_map(audit_segment_path(journal, id).text, &file) != OK)
        return;
    if (segment_reader_init(&r, file) == OK)
        for (size_t at = 0; segment_next(&r, &f) == SEGMENT_RECORD; at++)
            if (at >= skip)
                print_record(&f);
    file_unmap(file);
}

int command_audit_tail(Cli *c)
{
    Audit a = { .cli = c };
    const char *lines = cli_option(c, "lines");
    uint64_t wanted = TAIL_LINES;
    SegmentIds ids;

    if (lines != NULL && text_u64(text_of(lines), TAIL_MAX, &wanted) != OK)
        return cli_say(EXIT_USAGE, "--lines is a number up to %d", TAIL_MAX);
    if (!choose_journal(&a))
        return EXIT_USAGE;
    if (audit_files_list(a.journal, &c->arena, &ids) != OK)
        return cli_say(EXIT_FAILED, "cannot read %s: %s", a.journal, strerror(errno));
    size_t first = ids.count, have = 0;
    while (first > 0 && have < wanted)
        have += count_records(a.journal, ids.at[--first]);
    size_t skip = have > wanted ? have - (size_t)wanted : 0;
    for (size_t i = first; i < ids.count; i++, skip = 0)
        print_records(a.journal, ids.at[i], skip);
    return EXIT_DONE;
}
