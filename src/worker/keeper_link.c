/* The worker's side of its channels: what the keeper and the supervisor send unasked, segments,
 * and what happens while there is no keeper. */
#include "worker/edition.h"

#include "base/text.h"
#include "sys/child.h"
#include "sys/file.h"
#include "sys/log.h"

#include <string.h>
#include <unistd.h>

enum { KEEPER_PATIENCE_MS = 5000 };

/* --- segments ----------------------------------------------------------------------------------
 */

static void tell_ready(Worker *w)
{
    CLEANUP(buf_done) Buf body = { 0 };
    const Ready ready = { .landlock_abi = w->sandbox.landlock_abi, .seccomp = w->sandbox.seccomp };

    buf_init(&body, 16);
    if (pack_ready(&body, &ready) == OK)
        (void)!channel_tell(w->supervisor, ASK_READY, buf_view(&body), -1);
}

static void on_segment(void *ctx, const ChannelMessage *m)
{
    Worker *w = ctx;
    SegmentAnswer a;

    if (m == NULL)
        return;
    if (unpack_segment_answer(m->body, &a) != OK || a.ok == 0 || m->fd < 0) {
        w->recorder.asked = false; /* asked again at the next tick */
        if (m->fd >= 0)
            close(m->fd);
        return;
    }
    if (recorder_take_segment(&w->recorder, m->fd, &a, now_ms(w)) != OK) {
        log_line(LOG_ERROR, "record", "a segment could not be begun");
        return;
    }
    if (w->announced)
        return;
    w->announced = true;
    worker_listen(w);
    tell_ready(w);
}

static void ask_segment(Worker *w)
{
    CLEANUP(buf_done) Buf body = { 0 };
    const SegmentAsk ask = { .writer = w->writer };

    buf_init(&body, 64);
    if (!recorder_wants_segment(&w->recorder, now_ms(w)))
        return;
    if (pack_segment_ask(&body, &ask) != OK ||
        channel_ask(w->keeper, ASK_SEGMENT, buf_view(&body), on_segment, w) != OK)
        w->recorder.asked = false;
}

static void tell_seal(Worker *w, const Seal *seal)
{
    CLEANUP(buf_done) Buf body = { 0 };
    SealAsk told = {
        .writer = w->writer, .segment = seal->segment, .length = seal->length, .count = seal->count
    };

    buf_init(&body, 128);
    memcpy(told.last_hash.bytes, seal->last.bytes, sizeof told.last_hash.bytes);
    if (pack_seal_ask(&body, &told) == OK)
        (void)!channel_tell(w->keeper, ASK_SEAL, buf_view(&body), -1);
}

static void tell_new_seals(Worker *w)
{
    const Recorder *r = &w->recorder;

    for (; w->seals_told < r->seal_count; w->seals_told++)
        tell_seal(w, &r->seals[w->seals_told % RECORDER_SEALS]);
}

/* --- a keeper that went and came
 * ------------------------------------------------------------------ */

static void tell_alive(Worker *w)
{
    for (const Session *s = w->sessions; s != NULL; s = s->next) {
        CLEANUP(buf_done) Buf body = { 0 };
        const SessionAlive alive = { s->id, w->writer };

        buf_init(&body, 64);
        if (s->recorded && pack_session_alive(&body, &alive) == OK)
            (void)!channel_tell(w->keeper, ASK_SESSION_ALIVE, buf_view(&body), -1);
    }
}

static void on_new_keeper(Worker *w, int fd)
{
    if (fd < 0 || channel_replace(w->keeper, fd) != OK)
        return;
    w->keeper_lost_ms = 0;
    /* The old one may have ended before it saw the last of them; telling twice does no harm. */
    const size_t kept =
        w->recorder.seal_count < RECORDER_SEALS ? w->recorder.seal_count : RECORDER_SEALS;
    w->seals_told = w->recorder.seal_count - kept;
    tell_new_seals(w);
    tell_alive(w);
    budget_say_again(w);
}

/* --- messages
 * ------------------------------------------------------------------------------------- */

/* Whoever cannot take what all others take may not go on by the old rules. */
static void on_edition(Worker *w, const ChannelMessage *m)
{
    File f = { m->fd };
    const Err err = m->kind == ASK_PREPARE  ? worker_edition_prepare(w, m)
                    : m->kind == ASK_COMMIT ? worker_edition_commit(w, m)
                                            : worker_edition_abandon(w, m);

    file_done(&f);
    if (err == OK)
        return;
    log_line(LOG_ERROR, "reload", "message %u of the supervisor cannot be followed", m->kind);
    _exit(1);
}

static void on_supervisor(void *ctx, Channel *channel, const ChannelMessage *m)
{
    Worker *w = ctx;
    Cancel cancel;
    Drain drain;

    (void)channel;
    if (!ask_allowed(m->kind, PARTY_SUPERVISOR, PARTY_WORKER, m->is_question)) {
        if (m->fd >= 0)
            close(m->fd);
        return;
    }
    if (m->kind == ASK_PREPARE || m->kind == ASK_COMMIT || m->kind == ASK_ABANDON)
        on_edition(w, m);
    else if (m->kind == ASK_DRAIN && unpack_drain(m->body, &drain) == OK)
        w->closed = drain.on != 0;
    else if (m->kind == ASK_KEEPER_CHANNEL)
        on_new_keeper(w, m->fd);
    else if (m->kind == ASK_CANCEL && unpack_cancel(m->body, &cancel) == OK &&
             cancel.slot == w->slot)
        hold_cancel(w, &cancel);
}

static void kill_session(Worker *w, const SessionKill *kill)
{
    Session *s = session_by_id(w, &kill->session);
    const MessageCode code = kill->code == CHP_3302 ? CHP_3302 : CHP_3303;

    if (s != NULL)
        session_farewell(s, &(Fault){ .code = code, .fact = kill->why });
}

static void on_keeper(void *ctx, Channel *channel, const ChannelMessage *m)
{
    Worker *w = ctx;
    HoldAnswer answer;
    SessionKill kill;
    Budget budget;
    Disk disk;

    (void)channel;
    if (m->fd >= 0)
        close(m->fd);
    if (!ask_allowed(m->kind, PARTY_KEEPER, PARTY_WORKER, m->is_question))
        return;
    if (m->kind == ASK_SESSION_KILL && unpack_session_kill(m->body, &kill) == OK)
        kill_session(w, &kill);
    if (m->kind == ASK_EXPLAIN)
        explain_asked(w, m);
    if (m->kind == ASK_BUDGET && unpack_budget(m->body, &budget) == OK)
        budget_told(w, &budget);
    if (m->kind == ASK_DISK && unpack_disk(m->body, &disk) == OK)
        w->disk = disk.level == DISK_NORMAL     ? DISK_NORMAL
                  : disk.level == DISK_SESSIONS ? DISK_SESSIONS
                                                : DISK_READS;
    if (m->kind != ASK_HOLD_ANSWER || unpack_hold_answer(m->body, &answer) != OK)
        return;
    for (Session *s = w->sessions; s != NULL; s = s->next)
        if (s->holding && id_eq(&s->request, &answer.request)) {
            hold_answered(s, &answer);
            return;
        }
}

static void on_keeper_ended(void *ctx, Channel *channel)
{
    Worker *w = ctx;

    (void)channel;
    w->keeper_lost_ms = now_ms(w);
    explains_forget(w); /* a new keeper numbers its questions anew */
    log_line(LOG_WARN, "keeper", "gone; sessions go on for 5 s");
}

static void on_supervisor_ended(void *ctx, Channel *channel)
{
    (void)ctx;
    (void)channel;
    _exit(1); /* PDEATHSIG would do it too */
}

Err link_begin(Worker *w)
{
    const ChannelHandlers supervisor = { w, on_supervisor, on_supervisor_ended };
    const ChannelHandlers keeper = { w, on_keeper, on_keeper_ended };

    TRY(channel_new(&w->loop, CHILD_SUPERVISOR_FD, &supervisor, &w->supervisor));
    TRY(channel_new(&w->loop, CHILD_KEEPER_FD, &keeper, &w->keeper));
    ask_segment(w);
    return OK;
}

static void end_all(Worker *w, MessageCode code)
{
    for (Session *s = w->sessions, *next; s != NULL; s = next) {
        next = s->next;
        session_farewell(s, &(Fault){ .code = code });
    }
}

void link_tick(Worker *w)
{
    ask_segment(w);
    tell_new_seals(w);
    if (w->keeper_lost_ms != 0 && now_ms(w) - w->keeper_lost_ms > KEEPER_PATIENCE_MS)
        end_all(w, CHP_5201);
}
