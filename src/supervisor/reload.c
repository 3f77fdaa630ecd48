#include "supervisor/reload.h"

#include "base/text.h"
#include "supervisor/children.h"
#include "sys/log.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

enum {
    PREPARE_MS = 5000,
    COMMIT_MS = 3000,
    LOGGED_MAX = 1500,
    EXIT_BAD_FILE = 2,
    EXIT_NOT_NOW = 1,
};

typedef bool ChildTest(Supervisor *s, Child *c);

/* Those that judge by the policy; the console knows nothing of it that may change. */
static bool all_judges(Supervisor *s, ChildTest *test)
{
    bool all = test(s, &s->keeper);

    for (size_t i = 0; i < s->worker_count; i++)
        all = test(s, &s->workers[i]) && all;
    return all;
}

static Err pack_epoch(uint64_t epoch, Buf *out)
{
    const EditionAsk ask = { .epoch = epoch };

    buf_init(out, 16);
    return pack_edition_ask(out, &ask);
}

/* --- the end of it --------------------------------------------------------------------------- */

static void answer(Supervisor *s, uint64_t question, const ReloadAnswer *a)
{
    CLEANUP(buf_done) Buf body = { 0 };

    buf_init(&body, LOADED_WORDS_MAX + 256);
    if (s->keeper.channel != NULL && pack_reload_answer(&body, a) == OK)
        (void)!channel_reply_to(s->keeper.channel, ASK_RELOAD, question, buf_view(&body), -1);
}

static void rest(Supervisor *s)
{
    Reload *r = &s->reload;

    (void)uv_timer_stop(&r->patience);
    r->phase = RELOAD_NOTHING;
    r->called = r->hashed = false;
    buf_release(&r->words);
}

static Bytes as_long_as_told(Bytes words)
{
    return bytes_upto(words, words.len < LOADED_WORDS_MAX ? words.len : LOADED_WORDS_MAX);
}

static void finish(Supervisor *s, uint32_t exit_status, Bytes words)
{
    Reload *r = &s->reload;
    const ReloadAnswer a = { .ok = exit_status == 0,
                             .exit_status = exit_status,
                             .epoch = s->edition->epoch,
                             .words = as_long_as_told(words) };

    if (r->called)
        answer(s, r->question, &a);
    rest(s);
    if (r->again && !s->stopping) {
        r->again = false;
        reload_on_signal(s);
    }
}

static bool tell_abandon(Supervisor *s, Child *c)
{
    CLEANUP(buf_done) Buf body = { 0 };

    if (c->channel != NULL && pack_epoch(s->reload.next->epoch, &body) == OK)
        (void)!channel_tell(c->channel, ASK_ABANDON, buf_view(&body), -1);
    return true;
}

static void say_no(Supervisor *s, uint32_t exit_status, Bytes words)
{
    CLEANUP(buf_done) Buf kept = { 0 };

    buf_init(&kept, LOADED_WORDS_MAX);
    (void)!buf_append(&kept, as_long_as_told(words));
    if (s->reload.next != NULL)
        (void)all_judges(s, tell_abandon);
    loaded_free(s->reload.next);
    s->reload.next = NULL;
    log_line(LOG_ERROR, "reload", "nothing changed (asked by %s): %.*s", s->reload.asked_by,
             SHOW(utf8_upto(buf_view(&kept), LOGGED_MAX)));
    finish(s, exit_status, buf_view(&kept));
}

static void say_no_of(Supervisor *s, const Child *c, const char *what)
{
    char words[256];

    (void)snprintf(words, sizeof words, "%s %u %s", child_name(c), c->slot, what);
    say_no(s, EXIT_NOT_NOW, text_of(words));
}

/* --- committing ------------------------------------------------------------------------------ */

static bool has_committed(Supervisor *s, Child *c)
{
    (void)s;
    return c->committed;
}

static void finish_when_all_committed(Supervisor *s)
{
    if (s->reload.phase != RELOAD_COMMITTING || !all_judges(s, has_committed))
        return;
    log_line(LOG_INFO, "reload", "epoch %llu is in force (asked by %s)",
             (unsigned long long)s->edition->epoch, s->reload.asked_by);
    finish(s, 0, buf_view(&s->reload.words));
}

/* NULL: it ended, and starts again with what is in force. */
static void on_committed(void *ctx, const ChannelMessage *m)
{
    Child *c = ctx;

    (void)m;
    c->committed = true;
    finish_when_all_committed(c->supervisor);
}

static bool tell_commit(Supervisor *s, Child *c)
{
    CLEANUP(buf_done) Buf body = { 0 };

    c->committed = c->pid == 0 || c->channel == NULL;
    if (c->committed)
        return true;
    if (pack_epoch(s->edition->epoch, &body) != OK ||
        channel_ask(c->channel, ASK_COMMIT, buf_view(&body), on_committed, c) != OK)
        (void)kill(c->pid, SIGKILL); /* no half of us may go on by the old rules */
    return true;
}

static bool kill_late(Supervisor *s, Child *c)
{
    (void)s;
    if (c->committed || c->pid == 0)
        return true;
    log_line(LOG_ERROR, "reload", "%s %u did not take the new configuration; it is killed",
             child_name(c), c->slot);
    (void)kill(c->pid, SIGKILL);
    return true;
}

static void on_patience(uv_timer_t *timer);

static void commit(Supervisor *s)
{
    Reload *r = &s->reload;

    loaded_enter(&s->edition, r->next);
    r->next = NULL;
    r->phase = RELOAD_COMMITTING;
    (void)uv_timer_start(&r->patience, on_patience, COMMIT_MS, COMMIT_MS);
    (void)all_judges(s, tell_commit);
    finish_when_all_committed(s);
}

/* --- recording ------------------------------------------------------------------------------- */

static void on_recorded(void *ctx, const ChannelMessage *m)
{
    Supervisor *s = ctx;
    RecordChangeAnswer a = { 0 };

    if (s->reload.phase != RELOAD_RECORDING)
        return;
    if (m == NULL)
        say_no(s, EXIT_NOT_NOW, LIT("the keeper ended before the change was recorded"));
    else if (unpack_record_change_answer(m->body, &a) != OK || a.ok == 0)
        say_no(s, EXIT_NOT_NOW, LIT("CHP-5201: the change cannot be recorded"));
    else
        commit(s);
}

static void record(Supervisor *s)
{
    CLEANUP(buf_done) Buf body = { 0 };
    Reload *r = &s->reload;
    const RecordChange ask = { .epoch = r->next->epoch, .asked_by = text_of(r->asked_by) };

    buf_init(&body, 256);
    r->phase = RELOAD_RECORDING;
    (void)uv_timer_start(&r->patience, on_patience, PREPARE_MS, 0);
    if (pack_record_change(&body, &ask) != OK ||
        channel_ask(s->keeper.channel, ASK_RECORD_CHANGE, buf_view(&body), on_recorded, s) != OK)
        say_no(s, EXIT_NOT_NOW, LIT("the keeper does not take messages"));
}

/* --- preparing ------------------------------------------------------------------------------- */

static bool has_prepared(Supervisor *s, Child *c)
{
    (void)s;
    return c->prepared;
}

/* All were handed the same bytes; should two understand them differently, none may go by them. */
static bool agrees(Reload *r, const Prepared *said)
{
    if (!r->hashed)
        memcpy(r->hash, said->policy_hash.bytes, sizeof r->hash);
    r->hashed = true;
    return memcmp(r->hash, said->policy_hash.bytes, sizeof r->hash) == 0;
}

void reload_prepared(Child *c, Bytes body)
{
    Supervisor *s = c->supervisor;
    Prepared said;

    if (s->reload.phase != RELOAD_PREPARING || unpack_prepared(body, &said) != OK ||
        said.epoch != s->reload.next->epoch)
        return; /* of one that was given up */
    if (said.ok == 0) {
        say_no(s, EXIT_BAD_FILE, said.why);
        return;
    }
    if (!agrees(&s->reload, &said)) {
        say_no_of(s, c, "understands the file differently than the others");
        return;
    }
    c->prepared = true;
    if (all_judges(s, has_prepared))
        record(s);
}

static bool tell_prepare(Supervisor *s, Child *c)
{
    CLEANUP(buf_done) Buf body = { 0 };
    const Loaded *next = s->reload.next;

    c->prepared = false;
    return pack_epoch(next->epoch, &body) == OK &&
           channel_tell(c->channel, ASK_PREPARE, buf_view(&body), next->fd) == OK;
}

static bool is_ready(Supervisor *s, Child *c)
{
    (void)s;
    return c->pid != 0 && c->ready && c->channel != NULL;
}

static void prepare(Supervisor *s)
{
    Reload *r = &s->reload;
    char words[256];
    const char *fixed = edition_needs_restart(&s->edition->config, &r->next->config);

    if (fixed != NULL) {
        (void)snprintf(words, sizeof words,
                       "%s cannot change while the gateway runs; it needs a "
                       "restart",
                       fixed);
        say_no(s, EXIT_BAD_FILE, text_of(words));
        return;
    }
    if (!all_judges(s, is_ready)) {
        say_no(s, EXIT_NOT_NOW, LIT("a process is being started; try again"));
        return;
    }
    r->phase = RELOAD_PREPARING;
    (void)uv_timer_start(&r->patience, on_patience, PREPARE_MS, 0);
    if (!all_judges(s, tell_prepare))
        say_no(s, EXIT_NOT_NOW, LIT("a process does not take messages"));
}

/* --- silence, and ends ------------------------------------------------------------------------ */

static const Child *silent(const Supervisor *s)
{
    if (!s->keeper.prepared)
        return &s->keeper;
    for (size_t i = 0; i < s->worker_count; i++)
        if (!s->workers[i].prepared)
            return &s->workers[i];
    return &s->keeper;
}

static void on_patience(uv_timer_t *timer)
{
    Supervisor *s = timer->data;

    switch (s->reload.phase) {
    case RELOAD_NOTHING:
        break;
    case RELOAD_PREPARING:
        say_no_of(s, silent(s), "did not answer in 5 s");
        break;
    case RELOAD_RECORDING:
        /* Nobody knows whether it is on disk: the next keeper sees, and writes what is in force. */
        (void)kill(s->keeper.pid, SIGKILL);
        say_no(s, EXIT_NOT_NOW, LIT("the keeper did not record the change in 5 s"));
        break;
    case RELOAD_COMMITTING:
        (void)all_judges(s, kill_late);
        break;
    }
}

void reload_child_ended(Supervisor *s, const Child *c)
{
    if (s->reload.phase == RELOAD_PREPARING && c->kind != CHILD_CONSOLE)
        say_no_of(s, c, "ended");
}

bool reload_holds_starts(const Supervisor *s)
{
    return s->reload.phase == RELOAD_RECORDING;
}

/* --- the beginning ---------------------------------------------------------------------------- */

static void begin(Supervisor *s)
{
    Reload *r = &s->reload;
    const Err err = loaded_read(s->config_path, ++r->last_epoch, &r->next, &r->words);

    if (err == OK)
        prepare(s);
    else
        say_no(s, EXIT_BAD_FILE,
               buf_len(&r->words) > 0 ? buf_view(&r->words) : LIT("there is no memory for it"));
}

void reload_init(Supervisor *s)
{
    (void)uv_timer_init(&s->loop, &s->reload.patience);
    s->reload.patience.data = s;
    s->reload.last_epoch = s->edition->epoch;
    buf_init(&s->reload.words, LOADED_WORDS_MAX);
}

void reload_on_signal(Supervisor *s)
{
    Reload *r = &s->reload;

    if (s->stopping)
        return;
    if (r->phase != RELOAD_NOTHING) {
        r->again = true;
        return;
    }
    (void)snprintf(r->asked_by, sizeof r->asked_by, "SIGHUP");
    begin(s);
}

void reload_on_call(Supervisor *s, const ChannelMessage *m)
{
    Reload *r = &s->reload;
    ReloadAsk ask;

    if (unpack_reload_ask(m->body, &ask) != OK)
        return;
    if (s->stopping || r->phase != RELOAD_NOTHING) {
        answer(s, m->id,
               &(ReloadAnswer){ .exit_status = EXIT_NOT_NOW,
                                .epoch = s->edition->epoch,
                                .words = s->stopping ? LIT("the gateway is stopping")
                                                     : LIT("a reload is under way; try again") });
        return;
    }
    (void)snprintf(r->asked_by, sizeof r->asked_by, "%.*s", SHOW(ask.asked_by));
    r->called = true;
    r->question = m->id;
    begin(s);
}
