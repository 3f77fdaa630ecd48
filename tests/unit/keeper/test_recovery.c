/* What dead writers left, and that a verifier has nothing to say about it afterwards. */
#include "evidence/audit_files.h"
#include "keeper/recovery.h"
#include "keeper/segments.h"
#include "keeper_room.h"
#include "sys/file.h"

typedef struct Writer {
    SegmentWriter segment;
    SessionChain chain;
    JournalKey key;
    int fd;
} Writer;

static void begin(Room *r, Writer *w)
{
    CLEANUP(buf_done) Buf header = { 0 };
    SegmentAnswer given;

    buf_init(&header, SEGMENT_HEADER);
    EXPECT(segments_give(r->k, &r->worker.writer, &given, &w->fd) == OK && given.ok == 1);
    EXPECT(segment_begin(&w->segment, given.segment, given.created_ns, &header) == OK);
    EXPECT(file_write_all(w->fd, buf_view(&header)) == OK);
}

static void write_record(Writer *w, LeafType type)
{
    CLEANUP(buf_done) Buf frame = { 0 };
    SegmentRecord record = { .leaf = { .type = type, .time_unix_ns = 1, .mono_ns = 1 },
                             .chain = &w->chain,
                             .key = &w->key,
                             .payload = LIT("{\"text\":\"select 1\"}") };

    buf_init(&frame, 4096);
    EXPECT(segment_append(&w->segment, &record, &frame) == OK);
    EXPECT(file_write_all(w->fd, buf_view(&frame)) == OK);
}

/* A session with keys in the store, whose worker wrote `records` of it. */
static void open_session(Room *r, Writer *w, uint8_t id)
{
    CLEANUP(buf_done) Buf wrapped = { 0 };
    static const uint8_t KEY[AEAD_KEY] = { 42 };
    const Id key_id = { { id, 1 } };
    StoreSession s = { .id = { { id } },
                       .writer = r->worker.writer,
                       .user = LIT("dana"),
                       .kind = IDENTITY_HUMAN,
                       .resource = LIT("ehr"),
                       .audit_key = key_id };

    buf_init(&wrapped, 256);
    EXPECT(keys_seal(&r->k->keys, VIEW(key_id.bytes), VIEW(KEY), &wrapped) == OK);
    const StoreKey row = { .id = key_id, .wrapped = buf_view(&wrapped), .session = s.id };
    EXPECT(store_key_add(r->k->store, &row) == OK);
    EXPECT(store_segment_lowest_open(r->k->store, &s.writer, &s.first_segment) == OK);
    EXPECT(store_session_add(r->k->store, &s) == OK);
    EXPECT(journal_key_init(&w->key, KEY, key_id.bytes, 0) == OK);
    w->chain = (SessionChain){ 0 };
    memcpy(w->chain.id, s.id.bytes, LEAF_ID);
}

static void worker_starts(Room *r, Writer *w)
{
    *w = (Writer){ .fd = -1 };
    segment_writer_init(&w->segment, r->worker.writer.bytes);
    begin(r, w);
    open_session(r, w, 1);
    write_record(w, LEAF_SESSION_START);
    write_record(w, LEAF_COMMAND);
}

static void worker_ends(Writer *w)
{
    close(w->fd);
    journal_key_done(&w->key);
}

typedef struct Kinds {
    unsigned count;
    AuditKind last;
} Kinds;

static void note(void *ctx, const AuditFinding *f)
{
    Kinds *k = ctx;

    k->count++;
    k->last = f->kind;
    fprintf(stderr, "finding: %.*s segment %llu\n", SHOW(audit_kind_name(f->kind)),
            (unsigned long long)f->segment);
}

static AuditVerdict verify(Room *r)
{
    Kinds kinds = { 0 };
    const AuditFiles files = { .journal = r->k->journal, .found = note, .ctx = &kinds };
    AuditVerdict v;
    const char *what;

    EXPECT(audit_files_verify(&files, &v, &what) == OK);
    return v;
}

static void seal_all(Room *r)
{
    EXPECT(diary_turn(&r->k->diary, r->k->now, true) == OK);
    EXPECT(ledger_sign(&r->k->ledger, r->k->now, true) == OK);
}

static void a_torn_tail_is_cut_and_said(void)
{
    Room r;
    Writer w;
    StoreSession s;

    room_open(&r);
    worker_starts(&r, &w);
    EXPECT(file_write_all(w.fd, LIT("\x00\x00\x01\x50half a frame")) == OK);
    worker_ends(&w);
    r.k->peers = NULL;
    EXPECT(recovery_of_writer(r.k, &r.worker.writer) == OK);
    seal_all(&r);
    const AuditVerdict v = verify(&r);
    EXPECT(v.intact && v.complete && v.sessions_closed == 1 && v.unlogged == 0);
    EXPECT(v.last_checkpoint.size == v.log_size && v.log_size > 5);
    EXPECT(store_session_get(r.k->store, &(Id){ { 1 } }, &r.arena, &s) == OK && s.ended_ns != 0);
    room_close(&r);
}

static void a_worker_that_wrote_nothing(void)
{
    Room r;
    Writer w = { 0 };
    SegmentAnswer given;
    StoreSegment row;

    room_open(&r);
    EXPECT(segments_give(r.k, &r.worker.writer, &given, &w.fd) == OK && given.ok == 1);
    open_session(&r, &w, 1);
    worker_ends(&w);
    r.k->peers = NULL;
    EXPECT(recovery_of_writer(r.k, &r.worker.writer) == OK);
    EXPECT(store_segment_get(r.k->store, given.segment, &row) == ERR_MORE);
    seal_all(&r);
    const AuditVerdict v = verify(&r);
    EXPECT(v.intact && v.complete && v.findings == 0);
    room_close(&r);
}

static void two_segments_and_an_end(void)
{
    Room r;
    Writer w;

    room_open(&r);
    worker_starts(&r, &w);
    close(w.fd);
    begin(&r, &w); /* the first was never sealed: its message was lost with the worker */
    write_record(&w, LEAF_COMMAND);
    write_record(&w, LEAF_SESSION_END);
    journal_key_done(&w.key);
    open_session(&r, &w, 2);
    write_record(&w, LEAF_SESSION_START);
    worker_ends(&w);
    r.k->peers = NULL;
    EXPECT(recovery_of_writer(r.k, &r.worker.writer) == OK);
    seal_all(&r);
    const AuditVerdict v = verify(&r);
    EXPECT(v.intact && v.complete && v.sessions_closed == 2);
    room_close(&r);
}

/* The keeper dies as well, after half of a recovery: the next one goes on where it stopped. */
static void recovery_survives_the_keeper(void)
{
    Room r;
    Writer w;

    room_open(&r);
    worker_starts(&r, &w);
    worker_ends(&w);
    r.k->peers = NULL;
    const DiaryEntry half = {
        .type = LEAF_RECOVERY, .chain = &w.chain, .payload = LIT("{}"), .wait = true
    };
    EXPECT(diary_write(&r.k->diary, &half, r.k->now, NULL) == OK);
    /* As kill -9 leaves it: nothing sealed, nothing said. */
    store_close(r.k->store);
    close(r.k->diary.fd);
    journal_key_done(&r.k->diary.key);
    ledger_done(&r.k->ledger);
    keys_done(&r.k->keys);
    tallies_done(&r.k->tallies);
    keeper_editions_done(r.k);
    arena_done(&r.k->arena);
    free(r.k);

    room_start(&r, 0xef);
    EXPECT(recovery_of_the_dead(r.k) == OK);
    seal_all(&r);
    const AuditVerdict v = verify(&r);
    EXPECT(v.intact && v.complete && v.sessions_closed == 1);
    room_close(&r);
}

static void the_living_are_left_alone(void)
{
    Room r;
    Writer w;
    uint64_t live;

    room_open(&r);
    worker_starts(&r, &w);
    EXPECT(recovery_of_the_dead(r.k) == OK);
    EXPECT(store_session_live_count(r.k->store, &live) == OK && live == 1);
    write_record(&w, LEAF_COMMAND);
    worker_ends(&w);
    room_close(&r);
}

static void what_was_altered_is_not_signed(void)
{
    Room r;
    Writer w;
    StoreSegment row;
    static const uint8_t ZERO = 0xff;

    room_open(&r);
    worker_starts(&r, &w);
    const SegmentPath path = segment_path(r.k->journal, w.segment.segment);
    worker_ends(&w);
    FILE *f = fopen(path.text, "r+b");
    EXPECT(f != NULL && fseek(f, SEGMENT_HEADER + 40, SEEK_SET) == 0);
    EXPECT(fwrite(&ZERO, 1, 1, f) == 1 && fclose(f) == 0);
    r.k->peers = NULL;
    EXPECT(recovery_of_writer(r.k, &r.worker.writer) == OK);
    EXPECT(store_segment_get(r.k->store, w.segment.segment, &row) == OK);
    EXPECT(row.state == SEGMENT_OPEN);
    seal_all(&r);
    EXPECT(!verify(&r).intact);
    room_close(&r);
}

/* --- tables that are lost ------------------------------------------------------------------- */

static SegmentPath in_journal(const Room *r, const char *name)
{
    SegmentPath path;

    (void)snprintf(path.text, sizeof path.text, "%s/journal/%s", r->folder, name);
    return path;
}

/* A worker that did nothing. */
static void begin_and_end(Room *r)
{
    const Id writer = r->worker.writer;
    Writer w = { .fd = -1 };

    r->worker.writer = (Id){ { 0x02 } };
    segment_writer_init(&w.segment, r->worker.writer.bytes);
    begin(r, &w);
    close(w.fd);
    EXPECT(recovery_of_writer(r->k, &r->worker.writer) == OK);
    r->worker.writer = writer;
}

/* Records of two writers, merged in another order than their segments were made, and no keeper. */
static uint64_t some_past(Room *r)
{
    Writer w;

    room_open(r);
    worker_starts(r, &w);
    worker_ends(&w);
    begin_and_end(r); /* the youngest of them, and without a record, is sealed first */
    seal_all(r);      /* then the keeper's own, then the older one */
    r->k->peers = NULL;
    EXPECT(recovery_of_writer(r->k, &r->worker.writer) == OK);
    seal_all(r);
    keeper_close(r->k);
    free(r->k);
    return w.segment.segment;
}

static void a_lost_table_is_made_again(void)
{
    static const char *const LOST[] = { "log", "seals" };

    for (size_t i = 0; i < COUNT_OF(LOST); i++) {
        Room r;
        CLEANUP(buf_done) Buf before = { 0 }, after = { 0 };

        (void)some_past(&r);
        const SegmentPath path = in_journal(&r, LOST[i]);
        buf_init(&before, 1 << 20);
        buf_init(&after, 1 << 20);
        EXPECT(file_read_all(path.text, &before) == OK && buf_len(&before) > 0);
        if (i == 0)
            EXPECT(unlink(path.text) == 0);
        else
            EXPECT(file_cut(path.text, 8) == OK);
        room_start(&r, 0xef);
        EXPECT(r.k->ledger.rebuilt && file_read_all(path.text, &after) == OK);
        EXPECT(text_eq(buf_view(&before), buf_view(&after)));
        EXPECT(recovery_of_the_dead(r.k) == OK);
        seal_all(&r);
        const AuditVerdict v = verify(&r);
        EXPECT(v.intact && v.complete && v.findings == 0);
        room_close(&r);
    }
}

static void a_past_that_was_changed_is_not_made_again(void)
{
    for (int removed = 0; removed < 2; removed++) {
        Room r;
        const Id writer = { { 0xef } };
        Bytes file;

        const uint64_t segment = some_past(&r);
        const SegmentPath path = segment_path(in_journal(&r, "").text, segment);
        EXPECT(file_map(path.text, &file) == OK);
        const size_t len = file.len;
        file_unmap(file);
        EXPECT(unlink(in_journal(&r, "log").text) == 0);
        if (removed)
            EXPECT(rename(path.text, in_journal(&r, "away").text) == 0);
        else
            EXPECT(truncate(path.text, (off_t)len - 1) == 0);
        r.k = calloc(1, sizeof *r.k);
        EXPECT(r.k != NULL && keeper_open(r.k, &(Edition){ .yaml = buf_view(&r.yaml) }, &writer) ==
                                  (removed ? ERR_IO : ERR_REFUSED));
        keeper_close(r.k);
        free(r.k);
        EXPECT(access(in_journal(&r, "log.new").text, F_OK) != 0);
        EXPECT(access(in_journal(&r, "seals.new").text, F_OK) != 0);
        if (removed)
            EXPECT(rename(in_journal(&r, "away").text, path.text) == 0);
        if (removed) /* it came back */
            room_start(&r, 0xef);
        else
            r.k = calloc(1, sizeof *r.k);
        room_close(&r);
    }
}

int main(void)
{
    TEST(a_torn_tail_is_cut_and_said);
    TEST(a_worker_that_wrote_nothing);
    TEST(two_segments_and_an_end);
    TEST(recovery_survives_the_keeper);
    TEST(the_living_are_left_alone);
    TEST(what_was_altered_is_not_signed);
    TEST(a_lost_table_is_made_again);
    TEST(a_past_that_was_changed_is_not_made_again);
    return 0;
}
