/* One target as this worker knows it: its own connection for the catalogue, the snapshot of the
 * moment, and a view of it for each masking profile.
 *
 *     NOTHING ──▶ DIALING ──▶ (SECURING) ──▶ SIGNIN ──▶ READING ──▶ IDLE ──(2 s)──▶ READING …
 *        ▲                                                           │
 *        └──────────── error, closed ◀───────────────────────────────┘   again at the next refresh
 */
#include "worker/target.h"

#include "base/encode.h"
#include "base/reader.h"
#include "base/text.h"
#include "model/limits.h"
#include "proto/pg/pg_frame.h"
#include "proto/pg/pg_write.h"
#include "sys/entropy.h"
#include "sys/log.h"
#include "worker/edition.h"
#include "worker/leg.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CHECK_MS = 2000,
    GIVE_UP_MS = 10000,
    AGAIN_MS = 1000,
    UPSTREAM_ARENA = 1 << 20,
    NONCE_BYTES = 18,
    QUERY_BACKEND = -3, /* behind a pooler, before each look: is it the same still? */
    QUERY_SETTINGS = -2,
    QUERY_FINGERPRINT = -1,
};

static void read_next(Target *t);
static void dial(Target *t);
static void flush(Target *t);
static void lost(Target *t, const char *why);
static void on_ready(uv_poll_t *poll, int status, int events);

bool target_is_known(const Target *t)
{
    return t->knowledge != NULL && !t->wanted;
}

/* --- the connection ------------------------------------------------------------------------------
 */

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static void close_connection(Target *t)
{
    if (t->poll != NULL) {
        t->poll->data = NULL;
        (void)uv_poll_stop(t->poll);
        uv_close((uv_handle_t *)t->poll, free_handle);
    }
    t->poll = NULL;
    tls_free(t->tls);
    t->tls = NULL;
    if (t->fd >= 0)
        close(t->fd);
    t->fd = -1;
    pg_upstream_done(&t->upstream);
    arena_done(&t->arena);
    buf_release(&t->wire.from_server);
    buf_release(&t->wire.to_server);
}

void target_hang_up(Target *t, const char *why)
{
    if (why != NULL)
        log_line(LOG_WARN, "catalogue", "%.*s: %s", SHOW(target_resource(t)->name), why);
    close_connection(t);
    route_restart(&t->route);
    t->phase = TARGET_NOTHING;
    t->phase_ms = now_ms(t->worker);
}

/* What each address answered is told once, until another one tries. */
static void nowhere(Target *t)
{
    log_line(LOG_WARN, "catalogue", "%.*s cannot be used: %.*s", SHOW(target_resource(t)->name),
             SHOW(buf_view(&t->route.why)));
    target_hang_up(t, NULL);
}

/* Not this server; what of the others? */
static void elsewhere(Target *t, const char *why)
{
    channel_forget(t->worker->keeper, t);
    close_connection(t);
    if (route_reject(&t->route, target_resource(t), why) != OK)
        nowhere(t);
    else
        dial(t);
}

static void send_query(Target *t)
{
    const char *text = t->query == QUERY_BACKEND       ? PG_BACKEND_QUERY
                       : t->query == QUERY_SETTINGS    ? CATALOGUE_SETTINGS
                       : t->query == QUERY_FINGERPRINT ? CATALOGUE_FINGERPRINT
                                                       : catalogue_query((CatalogueQuery)t->query);

    t->failed = t->drifted = false;
    if (t->query == QUERY_FINGERPRINT)
        buf_truncate(&t->fingerprint, 0);
    else if (t->query >= 0)
        buf_truncate(&t->rows.rows[t->query], 0);
    if (pg_query(&t->wire.to_server, text_of(text)) != OK) {
        target_hang_up(t, "no memory");
        return;
    }
    flush(t);
}

static void start_reading(Target *t, int query)
{
    t->phase = TARGET_READING;
    t->phase_ms = now_ms(t->worker);
    t->query = query == QUERY_FINGERPRINT && t->upstream.pooled ? QUERY_BACKEND : query;
    if (query <= QUERY_FINGERPRINT)
        t->started = true;
    send_query(t);
}

static bool is_unchanged(const Target *t)
{
    return t->knowledge != NULL && buf_len(&t->last_fingerprint) > 0 &&
           text_eq(t->knowledge->cluster, t->upstream.backend.cluster) &&
           text_eq(buf_view(&t->fingerprint), buf_view(&t->last_fingerprint));
}

static void finish_reading(Target *t)
{
    t->phase = TARGET_IDLE;
    t->checked_ms = now_ms(t->worker);
    if (t->wanted && !t->started) {
        start_reading(t, QUERY_FINGERPRINT); /* somebody wished while we were at it */
        return;
    }
    t->wanted = false;
    target_tell_sessions(t);
}

/* The query at hand is answered; what comes next? */
static void read_next(Target *t)
{
    if (t->failed) {
        target_hang_up(t, "the catalogue cannot be read");
        return;
    }
    if (t->drifted) {
        target_hang_up(t, PG_NOT_ONE_SESSION);
        target_drifted(t);
        return;
    }
    if (t->query == QUERY_BACKEND) {
        t->query = QUERY_FINGERPRINT;
        send_query(t);
        return;
    }
    if (t->query == QUERY_FINGERPRINT && is_unchanged(t)) {
        finish_reading(t);
        return;
    }
    if (t->query + 1 < CATALOGUE_COUNT) {
        t->query++;
        send_query(t);
        return;
    }
    buf_truncate(&t->last_fingerprint, 0);
    if (buf_append(&t->last_fingerprint, buf_view(&t->fingerprint)) != OK ||
        target_take_knowledge(t) != OK) {
        target_hang_up(t, "the catalogue is not understood");
        return;
    }
    finish_reading(t);
}

static Err check_backend(Target *t, Bytes row)
{
    CLEANUP(arena_done) Arena arena = { 0 };
    PgBackend now;

    arena_init(&arena, 4096);
    TRY(pg_backend_read(row, &arena, &now));
    t->drifted = t->drifted || !pg_upstream_is_same(&t->upstream, &now);
    return OK;
}

static Err keep_row(Target *t, Bytes body)
{
    Buf *rows = t->query == QUERY_FINGERPRINT ? &t->fingerprint : &t->rows.rows[t->query];

    if (t->query == QUERY_SETTINGS)
        return ERR_MALFORMED;
    if (t->query == QUERY_BACKEND)
        return check_backend(t, body);
    TRY(buf_u32(rows, (uint32_t)body.len));
    return buf_append(rows, body);
}

static Err on_frame(Target *t, const PgFrame *frame, bool *ret_answered)
{
    if (frame->tag == 'D')
        return keep_row(t, frame->body);
    if (frame->tag == 'E')
        t->failed = true;
    if (frame->tag == 'S')
        return target_tells(t, frame->whole);
    *ret_answered = frame->tag == 'Z';
    return OK;
}

static Err on_answer(Target *t)
{
    bool answered = false;

    while (!answered) {
        PgFrame frame;
        const Err err =
            pg_frame_next(buf_view(&t->wire.from_server), PG_TAGGED, TARGET_ROW_MAX, &frame);

        if (err == ERR_MORE)
            return OK;
        TRY(err);
        TRY(on_frame(t, &frame, &answered));
        buf_consume(&t->wire.from_server, frame.size);
    }
    read_next(t);
    return OK;
}

/* --- signing in
 * ------------------------------------------------------------------------------------ */

static void on_proof(void *ctx, const ChannelMessage *m)
{
    Target *t = ctx;
    UpstreamProveAnswer a;
    Hash signature;

    if (t->phase != TARGET_SIGNIN)
        return;
    if (m == NULL || unpack_upstream_prove_answer(m->body, &a) != OK || a.ok == 0) {
        target_hang_up(t, "the keeper has no proof for it");
        return;
    }
    memcpy(signature.bytes, a.server_signature.bytes, sizeof signature.bytes);
    if (pg_upstream_proved(&t->upstream, &t->wire, a.client_final, &signature) != OK)
        target_hang_up(t, "sign-in failed");
    else
        flush(t);
}

static void on_md5(void *ctx, const ChannelMessage *m)
{
    Target *t = ctx;
    UpstreamMd5Answer a;

    if (t->phase != TARGET_SIGNIN)
        return;
    if (m == NULL || unpack_upstream_md5_answer(m->body, &a) != OK || a.text.len == 0 ||
        pg_upstream_md5(&t->upstream, &t->wire, a.text) != OK)
        target_hang_up(t, "the keeper has no answer for it");
    else
        flush(t);
}

static Err ask_md5(Target *t)
{
    CLEANUP(buf_done) Buf body = { 0 };
    const UpstreamMd5 ask = { .epoch = t->worker->edition->epoch,
                              .resource = t->index,
                              .salt = t->upstream.md5_salt };

    buf_init(&body, 256);
    TRY(pack_upstream_md5(&body, &ask));
    return channel_ask(t->worker->keeper, ASK_UPSTREAM_MD5, buf_view(&body), on_md5, t);
}

static Err ask_proof(Target *t)
{
    CLEANUP(buf_done) Buf body = { 0 };
    const UpstreamProve ask = { .epoch = t->worker->edition->epoch,
                                .resource = t->index,
                                .client_first_bare = t->upstream.client_first_bare,
                                .server_first = t->upstream.server_first,
                                .gs2_header = t->upstream.gs2_header,
                                .binding = t->upstream.binding };

    buf_init(&body, 16 << 10);
    TRY(pack_upstream_prove(&body, &ask));
    return channel_ask(t->worker->keeper, ASK_UPSTREAM_PROVE, buf_view(&body), on_proof, t);
}

static Err on_signin(Target *t)
{
    PgUpstreamOrder order;

    TRY(pg_upstream_spoke(&t->upstream, &t->wire, &order));
    if (order == UPSTREAM_PROVE)
        return ask_proof(t);
    if (order == UPSTREAM_MD5)
        return ask_md5(t);
    if (order != UPSTREAM_READY)
        return OK;
    const char *unfit = route_unfit(&t->route, target_resource(t), &t->upstream.backend);
    if (unfit != NULL)
        elsewhere(t, unfit);
    else if (target_take_parameters(t, buf_view(&t->upstream.parameters)) != OK)
        return ERR_LIMIT;
    else
        start_reading(t, QUERY_SETTINGS);
    return OK;
}

static Err start_signin(Target *t)
{
    CLEANUP(buf_done) Buf nonce = { 0 };
    const Resource *r = target_resource(t);
    uint8_t random[NONCE_BYTES];

    buf_init(&nonce, 64);
    random_fill(random, sizeof random);
    TRY(base64_encode(VIEW(random), &nonce));
    const PgUpstreamStart start = {
        .user = r->credentials.user,
        .database = r->database.len > 0 ? r->database : r->name,
        .application = LIT("chaperone/catalogue"),
        .nonce = buf_view(&nonce),
        .binding = t->tls != NULL ? tls_binding(t->tls) : (Bytes){ 0 },
        .pooled = r->pooler == POOLER_SESSION,
        .md5_allowed = r->credentials.md5 == MD5_ALLOW,
    };
    arena_init(&t->arena, UPSTREAM_ARENA);
    return pg_upstream_init(&t->upstream, &t->arena, &start, &t->wire);
}

/* --- the socket
 * -------------------------------------------------------------------------------------- */

static void refuse_insecure(Target *t, const char *why)
{
    log_line(LOG_WARN, "tls", "%.*s at %s: %s; nothing is sent to it in plain text",
             SHOW(target_resource(t)->name), t->route.endpoint, why);
    elsewhere(t, why);
}

static void begin_signin(Target *t)
{
    t->phase = TARGET_SIGNIN;
    if (start_signin(t) != OK)
        target_hang_up(t, "cannot sign in");
    else
        flush(t);
}

static void secure(Target *t)
{
    const char *why;
    const Err err = target_secure(t, t->route.address, t->fd, &t->tls, &why);

    if (err == OK)
        begin_signin(t);
    else if (err == ERR_MORE)
        (void)uv_poll_start(t->poll, leg_handshake_events(t->tls), on_ready);
    else
        refuse_insecure(t, why);
}

static void take(Target *t)
{
    Err err = OK;

    if (t->phase == TARGET_SIGNIN)
        err = on_signin(t);
    if (err == OK && t->phase == TARGET_READING)
        err = on_answer(t);
    if (err == ERR_REFUSED)
        t->refused = text_eq(t->upstream.refused, LIT("28P01"));
    if (err == OK)
        flush(t);
    else if (t->phase == TARGET_SIGNIN && text_eq(t->upstream.refused, LIT("57P03")))
        elsewhere(t, "is starting up, shutting down or recovering");
    else if (t->phase == TARGET_SIGNIN && t->upstream.why != NULL)
        target_hang_up(t, t->upstream.why);
    else if (t->phase == TARGET_SIGNIN && t->upstream.phase >= UPSTREAM_AT_BACKEND)
        target_hang_up(t, "it does not tell the gateway what server it is");
    else
        target_hang_up(t, err == ERR_REFUSED ? "the gateway's credential was refused"
                                             : "broken answer");
}

static void lost(Target *t, const char *why)
{
    if (t->phase == TARGET_SECURING || t->phase == TARGET_SIGNIN)
        elsewhere(t, "hung up");
    else
        target_hang_up(t, why);
}

static void read_more(Target *t)
{
    const Err err = leg_read(t->fd, t->tls, &t->wire.from_server);

    if (err == OK)
        take(t);
    else
        lost(t, err == ERR_LIMIT ? "an answer is too long" : "connection closed");
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    Target *t = poll->data;

    if (t == NULL)
        return;
    if (status != 0) {
        lost(t, "connection lost");
        return;
    }
    if (t->phase == TARGET_SECURING) {
        secure(t);
        return;
    }
    if ((events & UV_WRITABLE) != 0)
        flush(t);
    if (t->fd < 0 || ((events & UV_READABLE) == 0 && leg_events(t->tls, 0) == 0))
        return;
    do
        read_more(t);
    while (t->fd >= 0 && leg_has_pending(t->tls));
}

static void flush(Target *t)
{
    const Bytes out = buf_view(&t->wire.to_server);
    size_t sent = 0;

    if (t->fd < 0)
        return;
    if (out.len > 0 && !leg_write(t->fd, t->tls, out, &sent)) {
        lost(t, "connection lost");
        return;
    }
    buf_consume(&t->wire.to_server, sent);
    const int events = UV_READABLE | (buf_len(&t->wire.to_server) > 0 ? UV_WRITABLE : 0);
    (void)uv_poll_start(t->poll, leg_events(t->tls, events), on_ready);
}

static void on_connected(Target *t, int fd)
{
    t->fd = fd;
    t->phase_ms = now_ms(t->worker);
    t->poll = malloc(sizeof *t->poll);
    if (t->poll == NULL || uv_poll_init(&t->worker->loop, t->poll, t->fd) != 0) {
        free(t->poll);
        t->poll = NULL;
        target_hang_up(t, "no memory");
        return;
    }
    t->poll->data = t;
    if (!target_is_secured(t)) {
        begin_signin(t);
        return;
    }
    t->phase = TARGET_SECURING;
    if (target_secure_begin(t->fd) != OK)
        elsewhere(t, "hung up");
    else
        (void)uv_poll_start(t->poll, UV_READABLE, on_ready);
}

static void on_dialed(void *ctx, const ChannelMessage *m)
{
    Target *t = ctx;
    const RouteStep step = t->phase == TARGET_DIALING
                               ? route_answered(&t->route, target_resource(t), m)
                               : ROUTE_NOWHERE;

    if (step == ROUTE_CONNECTED) {
        on_connected(t, m->fd);
        return;
    }
    if (m != NULL && m->fd >= 0)
        close(m->fd);
    if (t->phase != TARGET_DIALING)
        return;
    if (step == ROUTE_AGAIN)
        dial(t);
    else
        nowhere(t);
}

static void dial(Target *t)
{
    t->phase = TARGET_DIALING;
    t->phase_ms = now_ms(t->worker);
    if (route_dial(&t->route, t->worker, t->index, on_dialed, t) != OK)
        target_hang_up(t, "the supervisor does not answer");
}

/* --- from outside
 * -------------------------------------------------------------------------------------- */

void target_refresh(Target *t)
{
    if (t->retired)
        return;
    t->wanted = true;
    t->started = false;
    if (t->phase == TARGET_IDLE)
        start_reading(t, QUERY_FINGERPRINT);
    else if (t->phase == TARGET_NOTHING)
        dial(t);
}

bool target_is_fresh(const Target *t)
{
    return target_is_known(t) && t->phase != TARGET_NOTHING &&
           now_ms(t->worker) - t->checked_ms <= CHECK_MS + AGAIN_MS;
}

static uint64_t patience_ms(TargetPhase phase)
{
    return phase == TARGET_DIALING ? ROUTE_DIAL_MS : GIVE_UP_MS;
}

static void late(Target *t)
{
    if (t->phase == TARGET_SECURING || t->phase == TARGET_SIGNIN)
        elsewhere(t, "did not answer in time");
    else
        target_hang_up(t, "no answer");
}

/* The password may have been changed a moment before its file. */
static void try_again_or_give_up(Target *t)
{
    const bool again = t->refused && !t->tried;

    t->refused = false;
    t->tried = again;
    if (again)
        dial(t);
    else
        target_give_up(t);
}

void targets_tick(Worker *w)
{
    for (size_t i = 0; i < w->edition->config.policy.resources.count; i++) {
        Target *t = w->edition->targets[i];
        const uint64_t now = now_ms(w);
        const bool busy = t->phase != TARGET_IDLE && t->phase != TARGET_NOTHING;

        if (busy && now - t->phase_ms > patience_ms(t->phase))
            late(t);
        if (t->phase == TARGET_NOTHING && t->wanted && now - t->phase_ms > AGAIN_MS)
            try_again_or_give_up(t);
        if (t->phase == TARGET_NOTHING && w->session_count > 0 && t->knowledge != NULL &&
            now - t->phase_ms > AGAIN_MS)
            dial(t);
        if (t->phase == TARGET_IDLE && now - t->checked_ms > CHECK_MS)
            start_reading(t, QUERY_FINGERPRINT);
    }
}
