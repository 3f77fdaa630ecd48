#include "worker/edition.h"

#include "base/text.h"
#include "model/limits.h"
#include "proto/pg/pg_withhold.h"
#include "proto/pg/pg_write.h"
#include "record/payload.h"
#include "sys/log.h"
#include "sys/net.h"
#include "worker/leg.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    OUT_SOFT = 512 << 10, /* stop reading one side while so much waits for the other */
    OUT_MAX = 4 << 20,
    SESSION_ARENA = 32 << 20,
    SIGNIN_MS = 15000,
    ENDING_MS = 5000,
    HELD_READ_MAX = 64 << 10, /* what a client may send ahead of a held command */
};

void session_mark(Session *s)
{
    if (s->ready)
        return;
    s->ready = true;
    s->next_ready = NULL;
    *s->worker->ready_end = s;
    s->worker->ready_end = &s->next_ready;
}

Session *session_by_id(Worker *w, const Id *id)
{
    for (Session *s = w->sessions; s != NULL; s = s->next)
        if (id_eq(&s->id, id))
            return s;
    return NULL;
}

/* --- reading ------------------------------------------------------------------------------- */

static void read_client(Session *s)
{
    if (leg_read(s->client_fd, s->client_tls, &s->gate.wire.from_client) != OK)
        s->client_gone = true;
}

static void read_server(Session *s)
{
    if (leg_read(s->server_fd, s->server_tls, &s->gate.wire.from_server) != OK)
        s->server_gone = true;
}

static void on_client(uv_poll_t *poll, int status, int events)
{
    Session *s = poll->data;

    if (s == NULL)
        return;
    if (status != 0 || ((events & UV_DISCONNECT) != 0 && (events & UV_READABLE) == 0))
        s->client_gone = true;
    session_mark(s);
    if (s->phase == SESSION_SHAKING || ((events & UV_READABLE) != 0 && secure_begin_direct(s)))
        return; /* the handshake reads for itself */
    if ((events & UV_READABLE) != 0 || leg_events(s->client_tls, 0) != 0)
        read_client(s);
}

static void on_server(uv_poll_t *poll, int status, int events)
{
    Session *s = poll->data;

    if (s == NULL)
        return;
    if (status != 0)
        s->server_gone = true;
    session_mark(s);
    if (s->phase == SESSION_SECURING)
        return; /* the handshake reads for itself */
    if ((events & (UV_READABLE | UV_DISCONNECT)) != 0 || leg_events(s->server_tls, 0) != 0)
        read_server(s);
}

/* --- watching ------------------------------------------------------------------------------- */

static int client_wants(const Session *s)
{
    const Wire *wire = &s->gate.wire;
    const bool blocked = s->wait_synced > 0;
    int events = UV_DISCONNECT;

    if (s->client_gone)
        return 0;
    if (s->phase == SESSION_SHAKING && s->client_tls != NULL)
        return events | leg_handshake_events(s->client_tls);
    if (s->gate.written > 0 && !blocked)
        events |= UV_WRITABLE;
    if (s->phase == SESSION_ENDING || buf_len(&wire->to_server) > OUT_SOFT || blocked)
        return events;
    if (s->gate.wait != GATE_RUNS || s->phase != SESSION_OPEN)
        return buf_len(&wire->from_client) < HELD_READ_MAX ? events | UV_READABLE : events;
    return buf_len(&wire->from_client) < wire->from_client.max ? events | UV_READABLE : events;
}

static int server_wants(const Session *s)
{
    const Wire *wire = &s->gate.wire;
    const bool blocked = s->wait_synced > 0;
    int events = 0;

    if (s->server_gone || s->phase == SESSION_ENDING)
        return 0;
    if (s->phase == SESSION_SECURING)
        return leg_handshake_events(s->server_tls);
    if (buf_len(&wire->to_server) > 0 && !blocked)
        events |= UV_WRITABLE;
    if (buf_len(&wire->to_client) < OUT_SOFT && !blocked)
        events |= UV_READABLE;
    return events;
}

static void watch(uv_poll_t *poll, int *current, int wanted, uv_poll_cb fn)
{
    if (poll == NULL || *current == wanted)
        return;
    *current = wanted;
    if (wanted == 0)
        (void)uv_poll_stop(poll);
    else
        (void)uv_poll_start(poll, wanted, fn);
}

static bool may_take(int wanted, const Tls *tls)
{
    return (wanted & UV_READABLE) != 0 && leg_has_pending(tls);
}

void session_watch(Session *s)
{
    const int client = client_wants(s), server = server_wants(s);

    if (may_take(client, s->client_tls) || may_take(server, s->server_tls))
        session_mark(s); /* poll() does not know of it */
    watch(s->client_poll, &s->client_events, leg_events(s->client_tls, client), on_client);
    watch(s->server_poll, &s->server_events, leg_events(s->server_tls, server), on_server);
}

/* What TLS has read from a socket already. */
static void take_pending(Session *s)
{
    if (may_take(client_wants(s), s->client_tls))
        read_client(s);
    if (may_take(server_wants(s), s->server_tls))
        read_server(s);
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static uv_poll_t *poll_new(Session *s, int fd)
{
    uv_poll_t *poll = malloc(sizeof *poll);

    if (poll == NULL || uv_poll_init(&s->worker->loop, poll, fd) != 0) {
        free(poll);
        return NULL;
    }
    poll->data = s;
    return poll;
}

static void poll_end(uv_poll_t **poll, int *fd)
{
    if (*poll != NULL) {
        (*poll)->data = NULL;
        (void)uv_poll_stop(*poll);
        uv_close((uv_handle_t *)*poll, free_handle);
    }
    *poll = NULL;
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void session_attach_server(Session *s, int fd)
{
    s->server_fd = fd;
    s->server_poll = poll_new(s, fd);
    s->server_events = 0;
    if (s->server_poll == NULL)
        s->server_gone = true;
}

void session_detach_server(Session *s)
{
    tls_free(s->server_tls);
    s->server_tls = NULL;
    poll_end(&s->server_poll, &s->server_fd);
    s->server_events = 0;
    s->server_gone = false;
    buf_release(&s->gate.wire.from_server);
    buf_release(&s->gate.wire.to_server);
}

/* --- sending -------------------------------------------------------------------------------- */

/* Every byte towards the client is in the record before it is here: gate.written says so. */
void session_flush(Session *s)
{
    Wire *wire = &s->gate.wire;
    const bool all_here = !s->client_gone && !s->server_gone;
    size_t sent;

    if (s->wait_synced > 0) {
        if (recorder_synced(&s->worker->recorder) < s->wait_synced)
            return;
        s->wait_synced = 0;
    }
    if (s->server_fd >= 0 && buf_len(&wire->to_server) > 0) {
        s->server_gone =
            !leg_write(s->server_fd, s->server_tls, buf_view(&wire->to_server), &sent) ||
            s->server_gone;
        buf_consume(&wire->to_server, sent);
    }
    if (s->client_fd >= 0 && s->gate.written > 0) {
        const Bytes out = bytes_upto(buf_view(&wire->to_client), s->gate.written);

        s->client_gone = !leg_write(s->client_fd, s->client_tls, out, &sent) || s->client_gone;
        gate_client_took(&s->gate, sent);
        s->out_flushed = s->gate.written;
    }
    if (all_here && (s->client_gone || s->server_gone))
        session_mark(s); /* nobody watches a socket that is gone */
    if (s->phase == SESSION_SHAKING && s->client_tls == NULL && buf_len(&wire->to_client) == 0)
        secure_begin(s);
    if (s->phase == SESSION_WAITING)
        session_rest(s); /* thousands may sign in and say nothing */
    if (s->phase == SESSION_ENDING && (buf_len(&wire->to_client) == 0 || s->client_gone))
        s->phase = SESSION_DEAD;
}

/* --- ending --------------------------------------------------------------------------------- */

void session_end(Session *s, const char *reason)
{
    if (s->phase == SESSION_ENDING || s->phase == SESSION_DEAD)
        return;
    if (s->holding)
        hold_withdraw(s, reason);
    s->end_reason = reason;
    s->phase = SESSION_ENDING;
    s->deadline_ms = now_ms(s->worker) + ENDING_MS;
    buf_release(&s->gate.wire.to_server);
    session_mark(s);
}

void session_farewell(Session *s, const Fault *fault)
{
    const IdText id = id_text('s', &s->id);
    const Bytes shown = s->recorded || s->named ? text_of(id.text) : (Bytes){ 0 };

    if (s->phase == SESSION_ENDING || s->phase == SESSION_DEAD)
        return;
    if (s->phase == SESSION_SHAKING) { /* half way into TLS nothing can be said */
        s->phase = SESSION_DEAD;
        session_mark(s);
        return;
    }
    Buf *out = &s->gate.wire.to_client;
    const Err err =
        s->signin.startup.before_3 ? pg_fault_before_3(out, fault) : pg_fault(out, fault, shown);
    if (err != OK)
        s->client_gone = true;
    s->pg.phase = PG_ENDED;
    session_end(s, message_entry(fault->code)->title);
}

/* The last record. Written with whatever else this turn writes. */
static Err write_end(Session *s)
{
    CLEANUP(buf_done) Buf payload = { 0 };
    SegmentRecord record = { .leaf = { .type = LEAF_SESSION_END } };
    const Tls *tls = s->server_tls;
    const SessionEndNote note = {
        .reason = text_of(s->end_reason),
        .statements = s->statements,
        .server = text_of(s->route.endpoint),
        .target_tls_version = text_of(tls != NULL ? tls_version(tls) : NULL),
        .target_tls_cipher = text_of(tls != NULL ? tls_cipher(tls) : NULL),
    };

    if (!s->begun)
        return OK;
    buf_init(&payload, LIMIT_RECORD);
    TRY(payload_session_end(&note, &payload));
    record.payload = buf_view(&payload);
    record.key = &s->audit;
    if (s->recorded)
        TRY(ports_write_rest(s));
    return ports_write_record(s, &record);
}

/* To the keeper a session without its last record lives until this worker ends; recovery writes it
 * then. So this worker ends. */
static void leave_end(Session *s)
{
    log_line(LOG_WARN, "record", "a session's end could not be written; recovery will");
    s->worker->recorder.broken = true;
    s->proving = false;
}

static void tell_keeper(Session *s)
{
    CLEANUP(buf_done) Buf body = { 0 };
    const SessionEnd end = { s->id, text_of(s->end_reason), s->statements };

    buf_init(&body, 1024);
    if (s->proving && pack_session_end(&body, &end) == OK)
        (void)!channel_tell(s->worker->keeper, ASK_SESSION_END, buf_view(&body), -1);
}

static void done_signed_in(Session *s)
{
    for (size_t i = 0; i < s->phi_keys.count; i++)
        siv_done(&s->phi_keys.keys[i].siv);
    if (s->view != NULL)
        view_drop(s->view);
    parameters_drop(s->told);
    journal_key_done(&s->audit);
    journal_key_done(&s->content);
    hmac_key_done(&s->salt);
}

void session_free(Session *s)
{
    Worker *w = s->worker;

    if (s->end_reason == NULL)
        s->end_reason = "ended";
    if (write_end(s) != OK)
        leave_end(s);
    budget_close(s);
    tell_keeper(s);
    channel_forget(w->keeper, s);
    channel_forget(w->supervisor, s);
    parse_forget(s);
    tls_free(s->client_tls);
    tls_free(s->server_tls);
    poll_end(&s->client_poll, &s->client_fd);
    poll_end(&s->server_poll, &s->server_fd);
    pg_done(&s->pg);
    ruler_done(&s->ruler);
    pg_upstream_done(&s->upstream);
    route_done(&s->route);
    done_signed_in(s);
    Wire *wire = &s->gate.wire;
    buf_done(&wire->from_client);
    buf_done(&wire->to_server);
    buf_done(&wire->from_server);
    buf_done(&wire->to_client);
    buf_done(&s->receipts);
    arena_done(&s->arena);
    arena_done(&s->held_words);
    if (s->previous != NULL)
        s->previous->next = s->next;
    else
        w->sessions = s->next;
    if (s->next != NULL)
        s->next->previous = s->previous;
    w->session_count--;
    free(s);
}

/* --- stepping ------------------------------------------------------------------------------- */

static void fail(Session *s, Err err, bool from_server)
{
    Fault fault = { .code = CHP_5401 };

    if (err == ERR_IO)
        fault.code = CHP_5201;
    else if (from_server && s->pg.why == &PG_PAST_UNDOING)
        fault = PG_PAST_UNDOING;
    else if (from_server)
        fault.code = err == ERR_REFUSED || err == ERR_LIMIT ? CHP_5202 : CHP_5101;
    else if (err == ERR_LIMIT)
        fault =
            (Fault){ .code = CHP_5401, .fact = LIT("a message is longer than the gateway takes") };
    session_farewell(s, &fault);
}

static void step_open(Session *s)
{
    Err err = OK;

    if (buf_len(&s->gate.wire.from_server) > 0)
        err = gate_server_spoke(&s->gate);
    if (err != OK) {
        fail(s, err, true);
        return;
    }
    if (buf_len(&s->gate.wire.from_client) > 0 && s->gate.wait == GATE_RUNS)
        err = gate_client_spoke(&s->gate);
    if (err != OK) {
        fail(s, err, false);
        return;
    }
    if (s->too_long)
        hold_refuse_long(s);
    if (s->gate.wait == GATE_ENDED)
        session_end(s, "client said goodbye");
    if (s->gate.wait == GATE_WAITS_CATALOGUE && s->ruler.parse_wanted)
        parse_start(s);
    else if (s->gate.wait == GATE_WAITS_CATALOGUE && s->parse_job == NULL)
        target_refresh(s->target);
    if (s->server_gone && s->phase == SESSION_OPEN)
        session_farewell(
            s, &(Fault){ .code = CHP_5101, .fact = LIT("the target closed the connection") });
}

void session_step(Session *s)
{
    s->stepped_ms = now_ms(s->worker);
    s->resting = false;
    take_pending(s);
    switch (s->phase) {
    case SESSION_SIGNIN:
        signin_step(s);
        break;
    case SESSION_SECURING:
    case SESSION_UPSTREAM:
        connect_step(s);
        break;
    case SESSION_SHAKING:
        secure_step(s);
        break;
    case SESSION_WAITING:
        greet_step(s);
        break;
    case SESSION_OPEN:
        step_open(s);
        break;
    case SESSION_KEEPER:
    case SESSION_GREETING:
    case SESSION_PREPARING:
    case SESSION_DIALING:
    case SESSION_PAUSING:
    case SESSION_ENDING:
    case SESSION_DEAD:
        break;
    }
    if (s->client_gone) {
        session_end(s, "client closed the connection");
        s->phase = SESSION_DEAD;
    }
    if (s->phase == SESSION_DEAD)
        return;
    if (!s->recorded)
        s->gate.written = buf_len(&s->gate.wire.to_client); /* sign-in: nothing to record yet */
    else if (gate_write_down_output(&s->gate) != OK) {
        session_unrecorded(s);
    } else {
        budget_check(s);
    }
}

/* What is not recorded does not leave; only the reason does. */
void session_unrecorded(Session *s)
{
    Buf *out = &s->gate.wire.to_client;
    const Fault fault = { .code = CHP_5201 };

    if (s->phase == SESSION_DEAD)
        return;
    buf_truncate(out, s->out_flushed);
    buf_release(&s->gate.wire.to_server);
    if (s->phase != SESSION_ENDING)
        session_farewell(s, &fault);
    s->recorded = false;
    s->wait_synced = 0;
    s->gate.written = buf_len(out);
}

void session_accept(Worker *w, int fd, const char *peer)
{
    Session *s = calloc(1, sizeof *s);

    if (s == NULL) {
        close(fd);
        return;
    }
    *s = (Session){ .worker = w,
                    .client_fd = fd,
                    .server_fd = -1,
                    .next = w->sessions,
                    .born_epoch = w->edition->epoch };
    (void)snprintf(s->peer, sizeof s->peer, "%s", peer);
    arena_init(&s->arena, SESSION_ARENA);
    arena_init(&s->held_words, 16 << 10);
    buf_init(&s->gate.wire.from_client, LIMIT_CLIENT_MESSAGE + LEG_READ_BYTES);
    buf_init(&s->gate.wire.to_server, LIMIT_CLIENT_MESSAGE + OUT_MAX);
    buf_init(&s->gate.wire.from_server, LIMIT_ROW + LEG_READ_BYTES + 16);
    buf_init(&s->gate.wire.to_client, OUT_MAX + 2 * LIMIT_ROW);
    buf_init(&s->receipts, LIMIT_RECORD);
    pg_signin_init(&s->signin, &s->arena);
    s->signin.tls = w->edition->tls == NULL                             ? PG_TLS_NONE
                    : gateway_requires_tls(&w->edition->config.gateway) ? PG_TLS_REQUIRED
                                                                        : PG_TLS_OFFERED;
    s->deadline_ms = now_ms(w) + SIGNIN_MS;
    s->client_poll = poll_new(s, fd);
    if (w->sessions != NULL)
        w->sessions->previous = s;
    w->sessions = s;
    w->session_count++;
    if (s->client_poll == NULL) {
        s->phase = SESSION_DEAD;
        session_mark(s);
        return;
    }
    net_no_delay(fd);
    session_watch(s);
}
