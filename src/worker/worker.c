#include "worker/edition.h"

#include "base/encode.h"
#include "base/text.h"
#include "crypto/warm.h"
#include "phi/calendar.h"
#include "sys/child.h"
#include "sys/descriptors.h"
#include "sys/entropy.h"
#include "sys/file.h"
#include "sys/log.h"
#include "sys/net.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    TICK_MS = 100,
    TURN_SESSIONS = 32,
    ACCEPT_BATCH = 64,
    PAYLOAD_MAX = 32 << 20,
    WORDS_MAX = 4096,
    SIGNIN_MAX = 1000, /* connections that have not signed in yet: a flood stays outside */
    EXIT_CANNOT_START = 1,
};

/* --- the turn ------------------------------------------------------------------------------------
 */

/* First come, first served, and not all of a crowd at once: what is judged leaves with its turn. */
static Session *take_ready(Worker *w)
{
    Session *list = NULL, **end = &list;

    for (int i = 0; i < TURN_SESSIONS && w->ready != NULL; i++) {
        Session *s = w->ready;
        w->ready = s->next_ready;
        s->ready = false;
        s->next_turn = NULL;
        *end = s;
        end = &s->next_turn;
    }
    if (w->ready == NULL)
        w->ready_end = &w->ready;
    return list;
}

static void write_down(Worker *w, Session *list)
{
    const bool ok = recorder_flush(&w->recorder, now_ms(w)) == OK;

    for (Session *s = list; s != NULL; s = s->next_turn) {
        if (!ok && s->recorded) {
            session_unrecorded(s);
            continue;
        }
        s->out_flushed = s->gate.written;
        if (s->durable && s->recorded) {
            s->wait_synced = w->recorder.flushed;
            recorder_hurry(&w->recorder);
        }
        s->durable = false;
    }
}

static void one_turn(Worker *w)
{
    Session *list = take_ready(w);

    for (Session *s = list; s != NULL; s = s->next_turn)
        session_step(s);
    write_down(w, list);
    for (Session *s = list, *next; s != NULL; s = next) {
        next = s->next_turn;
        session_flush(s);
        if (s->phase == SESSION_DEAD && !s->ready)
            session_free(s);
        else
            session_watch(s);
    }
}

static void read_clock(Worker *w)
{
    w->now = clock_now();
    w->this_year = calendar_year(w->now.unix_ns);
}

/* Sessions marked while others were stepped (an answer, a wake-up) get their turn at once. */
static void on_check(uv_check_t *check)
{
    Worker *w = check->data;
    enum { ROUNDS = 64 };

    read_clock(w);
    for (int i = 0; i < ROUNDS && w->ready != NULL; i++)
        one_turn(w);
    /* session.end records of the sessions that were freed */
    if (recorder_ready(&w->recorder))
        (void)!recorder_flush(&w->recorder, now_ms(w)); /* leave_when_broken() sees it */
}

static void mark_all(Worker *w)
{
    for (Session *s = w->sessions; s != NULL; s = s->next)
        session_mark(s);
}

static void on_synced(uv_async_t *async)
{
    Worker *w = async->data;

    if (recorder_is_broken(&w->recorder)) {
        mark_all(w);
        for (Session *s = w->sessions; s != NULL; s = s->next)
            if (s->recorded)
                session_unrecorded(s);
        return;
    }
    for (Session *s = w->sessions; s != NULL; s = s->next)
        if (s->wait_synced > 0)
            session_mark(s);
}

/* --- new connections
 * -------------------------------------------------------------------------------- */

/* A crowd that says nothing stands in nobody's way: where all places are taken, whoever came first
 * and has not said yet who they are gives up theirs. The list begins with who came last. */
static bool make_place(Worker *w)
{
    Session *oldest = NULL;
    size_t count = 0;

    if (w->session_count <= SIGNIN_MAX)
        return true;
    for (Session *s = w->sessions; s != NULL; s = s->next) {
        if (s->phase != SESSION_SIGNIN && s->phase != SESSION_SHAKING)
            continue;
        count++;
        if (s->signin.startup.user.len == 0)
            oldest = s;
    }
    if (count <= SIGNIN_MAX)
        return true;
    if (oldest == NULL)
        return false;
    oldest->phase = SESSION_DEAD;
    session_mark(oldest);
    return true;
}

static void on_listen(uv_poll_t *poll, int status, int events)
{
    Worker *w = poll->data;
    char peer[64];
    int fd;

    (void)status;
    (void)events;
    for (int i = 0; i < ACCEPT_BATCH; i++) {
        if (net_accept(w->listen_fd, &fd, peer) != OK)
            return;
        if (w->draining || w->session_count >= w->sessions_max || !make_place(w))
            close(fd);
        else
            session_accept(w, fd, peer);
    }
}

void worker_listen(Worker *w)
{
    if (!w->draining)
        (void)uv_poll_start(&w->listen_poll, UV_READABLE, on_listen);
}

/* --- time
 * -------------------------------------------------------------------------------------------- */

static void check_deadlines(Worker *w)
{
    for (Session *s = w->sessions, *next; s != NULL; s = next) {
        next = s->next;
        if (s->deadline_ms == 0 || now_ms(w) < s->deadline_ms)
            continue;
        session_mark(s);
        if (s->phase == SESSION_ENDING || s->phase == SESSION_SIGNIN || s->phase == SESSION_SHAKING)
            s->phase = SESSION_DEAD;
        else if (!connect_late(s))
            session_farewell(s, &(Fault){ .code = CHP_5101,
                                          .fact = LIT("the session could not be set up in time") });
    }
}

static void check_pauses(Worker *w)
{
    for (Session *s = w->sessions; s != NULL; s = s->next)
        if (s->phase == SESSION_PAUSING && now_ms(w) >= s->again_ms)
            connect_again(s);
}

/* A text that takes longer to understand than anybody waits is not understood. */
static void check_parses(Worker *w)
{
    const Fault fault = { .code = CHP_3103,
                          .fact = LIT("the statement takes too long to understand"),
                          .next = LIT("send less in one statement") };

    for (Session *s = w->sessions; s != NULL; s = s->next) {
        if (s->parse_job == NULL || now_ms(w) < s->parse_deadline_ms)
            continue;
        parse_forget(s);
        session_mark(s);
        if (s->gate.wait == GATE_WAITS_CATALOGUE &&
            gate_refuse_held(&s->gate, &fault, (Bytes){ 0 }) != OK)
            session_farewell(s, &fault);
    }
}

/* Nothing can be written to this segment any more. The next process of this slot begins a new one,
 * and takes who comes meanwhile. */
static void leave_when_broken(Worker *w)
{
    if (w->draining || !recorder_is_broken(&w->recorder))
        return;
    log_line(LOG_ERROR, "worker", "ends: its part of the journal is lost; another one begins");
    w->draining = true;
    (void)uv_poll_stop(&w->listen_poll);
    for (Session *s = w->sessions; s != NULL; s = s->next)
        session_farewell(s, &(Fault){ .code = CHP_5201 });
}

static void on_tick(uv_timer_t *timer)
{
    Worker *w = timer->data;

    read_clock(w);
    link_tick(w);
    budget_tick(w);
    tally_tick(w);
    targets_tick(w);
    editions_tick(w);
    check_deadlines(w);
    check_pauses(w);
    check_parses(w);
    explains_tick(w);
    holds_tick(w);
    idle_tick(w);
    for (Session *s = w->sessions; s != NULL; s = s->next)
        if (s->phase == SESSION_OPEN && s->gate.wait == GATE_RUNS && s->ruler.catalogue_stale &&
            !s->ruler.transaction)
            target_refresh(s->target);
    leave_when_broken(w);
    if (w->draining && w->session_count == 0)
        uv_stop(&w->loop);
}

static void on_term(uv_signal_t *handle, int number)
{
    Worker *w = handle->data;

    (void)number;
    w->draining = true;
    (void)uv_poll_stop(&w->listen_poll); /* who comes now may be for whoever takes over */
    for (Session *s = w->sessions; s != NULL; s = s->next)
        session_farewell(s, &(Fault){ .code = CHP_3302, .fact = LIT("the gateway is stopping") });
}

/* --- starting
 * ------------------------------------------------------------------------------------------ */

static Err read_writer(const char *hex, Id *ret)
{
    CLEANUP(buf_done) Buf raw = { 0 };

    buf_init(&raw, 64);
    TRY(hex_decode(text_of(hex), &raw));
    if (buf_len(&raw) != sizeof ret->bytes)
        return ERR_MALFORMED;
    memcpy(ret->bytes, buf_view(&raw).ptr, sizeof ret->bytes);
    return OK;
}

static Err start(Worker *w)
{
    uint8_t random[16];

    if (uv_loop_init(&w->loop) != 0)
        return ERR_IO;
    w->ready_end = &w->ready;
    random_fill(random, sizeof random);
    w->hash_key = siphash_key(random);
    buf_init(&w->payload, PAYLOAD_MAX);
    buf_init(&w->words, WORDS_MAX);
    look_init(&w->looks, &PARSE_SQL, w->hash_key);
    TRY(parse_begin(w));
    TRY(recorder_init(&w->recorder, &w->loop, &w->writer, on_synced, w));
    if (uv_check_init(&w->loop, &w->check) != 0 || uv_timer_init(&w->loop, &w->tick) != 0 ||
        uv_signal_init(&w->loop, &w->on_term) != 0 ||
        uv_poll_init(&w->loop, &w->listen_poll, w->listen_fd) != 0)
        return ERR_IO;
    w->check.data = w->tick.data = w->on_term.data = w->listen_poll.data = w;
    (void)uv_check_start(&w->check, on_check);
    (void)uv_timer_start(&w->tick, on_tick, TICK_MS, TICK_MS);
    (void)uv_signal_start(&w->on_term, on_term, SIGTERM);
    return link_begin(w);
}

/* Landlock before the first thread, seccomp after the last. */
static Err serve(Worker *w)
{
    TRY(crypto_warm());
    TRY(tls_warm()); /* also for a certificate that a reload brings */
    TRY(worker_edition_begin(w, CHILD_CONFIG_FD));
    w->sandbox.optional = w->edition->config.gateway.sandbox == SANDBOX_AUTO;
    TRY(sandbox_enter_files(&w->sandbox, NULL, 0));
    TRY(start(w));
    TRY(sandbox_enter_calls(&w->sandbox, SANDBOX_WORKER));
    (void)uv_run(&w->loop, UV_RUN_DEFAULT);
    return OK;
}

int worker_main(const char *slot, const char *writer_hex)
{
    static Worker w; /* one for each process */
    static char name[24];
    uint64_t number = 0;

    child_begin();
    if (text_u64(text_of(slot), 255, &number) != OK)
        return EXIT_CANNOT_START;
    (void)snprintf(name, sizeof name, "worker-%u", (unsigned)number);
    log_begin(name);
    w.slot = (uint32_t)number;
    w.listen_fd = CHILD_LISTEN_FD;
    w.sessions_max = descriptors_sessions(descriptors_now());
    read_clock(&w);
    if (read_writer(writer_hex, &w.writer) != OK || serve(&w) != OK) {
        log_line(LOG_ERROR, "start", "the worker cannot start");
        return EXIT_CANNOT_START;
    }
    recorder_done(&w.recorder);
    return 0;
}
