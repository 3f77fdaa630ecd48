/* From a session's first statement to the connection it runs on: the gateway's own way to one of
 * the target's servers. What does not answer, or is not what the configuration asks for, is left
 * for the next address; whoever refuses the gateway's credential, or is another cluster, ends it.
 */
#include "worker/edition.h"

#include "base/encode.h"
#include "base/text.h"
#include "sys/entropy.h"
#include "sys/log.h"

#include <string.h>
#include <unistd.h>

enum { SERVER_MS = 15000, NONCE_BYTES = 18, PAUSE_MS = 500 };

static void dial(Session *s);

static void refuse(Session *s, MessageCode code, const char *fact)
{
    session_farewell(s, &(Fault){ .code = code, .fact = text_of(fact) });
}

/* Nothing is left to try: what each address answered. */
static void give_up(Session *s)
{
    Fault fault = { .code = CHP_5101 };

    log_line(LOG_WARN, "target", "%.*s cannot be used: %.*s",
             SHOW(target_resource(s->target)->name), SHOW(buf_view(&s->route.why)));
    if (arena_copy(&s->arena, buf_view(&s->route.why), &fault.detail) != OK)
        fault.detail = (Bytes){ 0 };
    session_farewell(s, &fault);
}

static void elsewhere(Session *s, const char *why)
{
    const Resource *resource = target_resource(s->target);

    channel_forget(s->worker->keeper, s); /* a proof that was on its way is not for the next one */
    session_detach_server(s);
    pg_upstream_done(&s->upstream);
    if (route_reject(&s->route, resource, why) != OK)
        give_up(s);
    else
        dial(s);
}

static void on_upstream_proof(void *ctx, const ChannelMessage *m)
{
    Session *s = ctx;
    UpstreamProveAnswer a;
    Hash signature;

    session_mark(s);
    if (session_is_over(s))
        return;
    if (m == NULL || unpack_upstream_prove_answer(m->body, &a) != OK || a.ok == 0) {
        refuse(s, CHP_5102, NULL);
        return;
    }
    memcpy(signature.bytes, a.server_signature.bytes, sizeof signature.bytes);
    s->phase = SESSION_UPSTREAM;
    if (pg_upstream_proved(&s->upstream, &s->gate.wire, a.client_final, &signature) != OK)
        refuse(s, CHP_5102, NULL);
}

static void on_md5(void *ctx, const ChannelMessage *m)
{
    Session *s = ctx;
    UpstreamMd5Answer a;

    session_mark(s);
    if (session_is_over(s))
        return;
    if (m == NULL || unpack_upstream_md5_answer(m->body, &a) != OK || a.text.len == 0 ||
        pg_upstream_md5(&s->upstream, &s->gate.wire, a.text) != OK)
        refuse(s, CHP_5102, NULL);
}

static void ask_md5(Session *s)
{
    CLEANUP(buf_done) Buf body = { 0 };
    const UpstreamMd5 ask = { .session = s->id,
                              .epoch = s->worker->edition->epoch,
                              .resource = target_index(s->target),
                              .salt = s->upstream.md5_salt };

    buf_init(&body, 256);
    if (pack_upstream_md5(&body, &ask) != OK ||
        channel_ask(s->worker->keeper, ASK_UPSTREAM_MD5, buf_view(&body), on_md5, s) != OK)
        refuse(s, CHP_5201, NULL);
}

static void prove_upstream(Session *s)
{
    CLEANUP(buf_done) Buf body = { 0 };
    const UpstreamProve ask = {
        .session = s->id,
        .epoch = s->worker->edition->epoch,
        .resource = target_index(s->target),
        .client_first_bare = s->upstream.client_first_bare,
        .server_first = s->upstream.server_first,
        .gs2_header = s->upstream.gs2_header,
        .binding = s->upstream.binding,
    };

    buf_init(&body, 16 << 10);
    if (pack_upstream_prove(&body, &ask) != OK ||
        channel_ask(s->worker->keeper, ASK_UPSTREAM_PROVE, buf_view(&body), on_upstream_proof, s) !=
            OK)
        refuse(s, CHP_5201, NULL);
}

/* For people who look at sessions; the record has it at the session's end. */
static void tell_server(Session *s)
{
    CLEANUP(buf_done) Buf body = { 0 };
    const SessionServer at = { s->id, text_of(s->route.endpoint) };

    buf_init(&body, 256);
    if (pack_session_server(&body, &at) == OK)
        (void)!channel_tell(s->worker->keeper, ASK_SESSION_SERVER, buf_view(&body), -1);
}

/* What the client sent is where it was: the gate begins with it. */
static Err open_road(Session *s)
{
    TRY(greet_correct(s, buf_view(&s->upstream.parameters), &s->gate.wire.to_client));
    buf_release(&s->upstream.parameters);
    ports_connect(s);
    s->pg.server_pid = s->upstream.backend.pid;
    s->pg.shown_pid = s->cancel_pid;
    s->deadline_ms = 0;
    route_done(&s->route);
    s->phase = SESSION_OPEN;
    tell_server(s);
    session_mark(s);
    return OK;
}

/* Signed in. Is it the server that is wanted, of the cluster that the masks are made for? */
static void settle(Session *s)
{
    const PgBackend *backend = &s->upstream.backend;
    const char *unfit = route_unfit(&s->route, target_resource(s->target), backend);

    if (unfit != NULL)
        elsewhere(s, unfit);
    else if (!text_eq(backend->cluster, s->view->knowledge->cluster))
        refuse(s, CHP_5103, "this server is not of the cluster that the catalogue was read from");
    else if (open_road(s) != OK)
        refuse(s, CHP_5101, NULL);
}

/* A password is often changed there first, and a moment later in the file that the keeper reads at
 * each proof. Once for a session, and once in a while for a target: others may count failures. */
static bool may_try_again(const Session *s)
{
    return text_eq(s->upstream.refused, LIT("28P01")) && s->again_ms == 0 &&
           target_may_try_again(s->target);
}

static void pause_before_again(Session *s)
{
    s->again_ms = now_ms(s->worker) + PAUSE_MS;
    s->deadline_ms = 0;
    session_detach_server(s);
    pg_upstream_done(&s->upstream);
    s->phase = SESSION_PAUSING;
}

static void on_refused(Session *s)
{
    const Resource *resource = target_resource(s->target);

    if (text_eq(s->upstream.refused, LIT("57P03"))) {
        elsewhere(s, "is starting up, shutting down or recovering");
        return;
    }
    if (s->upstream.why != NULL) {
        log_line(LOG_WARN, "target", "%.*s at %s: %s", SHOW(resource->name), s->route.endpoint,
                 s->upstream.why);
        refuse(s, CHP_5103, s->upstream.why);
        return;
    }
    log_line(LOG_WARN, "target", "%.*s at %s refused the gateway: SQLSTATE %.*s",
             SHOW(resource->name), s->route.endpoint, SHOW(s->upstream.refused));
    if (s->upstream.phase >= UPSTREAM_AT_BACKEND)
        refuse(s, CHP_5103, "it does not tell the gateway what server it is");
    else if (may_try_again(s))
        pause_before_again(s);
    else
        refuse(s, CHP_5102, NULL);
}

static void upstream_step(Session *s)
{
    PgUpstreamOrder order;
    const Err err = pg_upstream_spoke(&s->upstream, &s->gate.wire, &order);

    if (err != OK)
        on_refused(s);
    else if (order == UPSTREAM_PROVE)
        prove_upstream(s);
    else if (order == UPSTREAM_MD5)
        ask_md5(s);
    else if (order == UPSTREAM_READY)
        settle(s);
    else if (s->server_gone)
        elsewhere(s, "hung up");
}

static Err start_upstream(Session *s)
{
    CLEANUP(buf_done) Buf nonce = { 0 }, name = { 0 }, path = { 0 };
    const Resource *resource = target_resource(s->target);
    const PgStartup *p = &s->signin.startup;
    uint8_t random[NONCE_BYTES];
    PgSetting settings[PG_SETTINGS_MAX + 1];

    buf_init(&nonce, 64);
    buf_init(&name, 128);
    buf_init(&path, 1024);
    random_fill(random, sizeof random);
    TRY(base64_encode(VIEW(random), &nonce));
    TRY(greet_application(s, &name));
    TRY(text_format(&path, "%.*s", SHOW(s->view->knowledge->default_path)));
    if (p->setting_count > 0)
        memcpy(settings, p->settings, p->setting_count * sizeof *settings);
    settings[p->setting_count] = (PgSetting){ LIT("search_path"), buf_view(&path) };
    const PgUpstreamStart start = {
        .user = resource->credentials.user,
        .database = resource->database.len > 0 ? resource->database : resource->name,
        .application = buf_view(&name),
        .settings = settings,
        .setting_count = p->setting_count + 1,
        .nonce = buf_view(&nonce),
        .binding = s->server_tls != NULL ? tls_binding(s->server_tls) : (Bytes){ 0 },
        .pooled = resource->pooler == POOLER_SESSION,
        .md5_allowed = resource->credentials.md5 == MD5_ALLOW,
    };
    s->phase = SESSION_UPSTREAM;
    s->deadline_ms = now_ms(s->worker) + SERVER_MS;
    return pg_upstream_init(&s->upstream, &s->arena, &start, &s->gate.wire);
}

/* Handshake done, or not needed. */
static void enter_target(Session *s)
{
    if (start_upstream(s) != OK)
        refuse(s, CHP_5101, NULL);
}

static void secure_target(Session *s)
{
    const char *why = "hung up";
    const Err err = s->server_gone ? ERR_IO
                                   : target_secure(s->target, s->route.address, s->server_fd,
                                                   &s->server_tls, &why);

    if (err == OK) {
        enter_target(s);
    } else if (err != ERR_MORE) {
        log_line(LOG_WARN, "tls", "%.*s at %s: %s; nothing is sent to it in plain text",
                 SHOW(target_resource(s->target)->name), s->route.endpoint, why);
        elsewhere(s, why);
    }
}

static void on_connected(Session *s, int fd)
{
    session_attach_server(s, fd);
    if (!target_is_secured(s->target)) {
        enter_target(s);
        return;
    }
    s->phase = SESSION_SECURING;
    s->deadline_ms = now_ms(s->worker) + SERVER_MS;
    if (target_secure_begin(fd) != OK)
        elsewhere(s, "hung up");
}

static void on_dialed(void *ctx, const ChannelMessage *m)
{
    Session *s = ctx;

    session_mark(s);
    if (session_is_over(s)) {
        if (m != NULL && m->fd >= 0)
            close(m->fd);
        return;
    }
    switch (route_answered(&s->route, target_resource(s->target), m)) {
    case ROUTE_CONNECTED:
        on_connected(s, m->fd);
        return;
    case ROUTE_AGAIN:
        dial(s);
        return;
    case ROUTE_NOWHERE:
        break;
    }
    if (m != NULL && m->fd >= 0)
        close(m->fd);
    give_up(s);
}

static void dial(Session *s)
{
    s->phase = SESSION_DIALING;
    s->deadline_ms = now_ms(s->worker) + ROUTE_DIAL_MS;
    if (route_dial(&s->route, s->worker, target_index(s->target), on_dialed, s) != OK)
        refuse(s, CHP_5101, NULL);
}

void connect_begin(Session *s)
{
    route_restart(&s->route);
    dial(s);
}

void connect_again(Session *s)
{
    dial(s);
}

bool connect_is_under_way(const Session *s)
{
    return s->phase == SESSION_PREPARING || s->phase == SESSION_DIALING ||
           s->phase == SESSION_SECURING || s->phase == SESSION_UPSTREAM ||
           s->phase == SESSION_PAUSING;
}

void connect_step(Session *s)
{
    if (s->phase == SESSION_UPSTREAM)
        upstream_step(s);
    else
        secure_target(s);
}

bool connect_late(Session *s)
{
    if (s->phase != SESSION_UPSTREAM && s->phase != SESSION_SECURING)
        return false;
    elsewhere(s, "did not answer in time");
    return true;
}
