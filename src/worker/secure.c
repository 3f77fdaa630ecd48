/* TLS towards clients: from `S` or a ClientHello to the first byte inside. The keeper signs. */
#include "worker/edition.h"

#include "sys/log.h"
#include "worker/leg.h"

#include <sys/socket.h>

enum { CLIENT_HELLO = 0x16, SIGN_BODY_MAX = 2 * TLS_SIGN_MAX };

/* Nothing can be said to a client in the middle of a handshake but what TLS itself says. */
static void give_up(Session *s)
{
    s->phase = SESSION_DEAD;
    session_mark(s);
}

static void on_signature(void *ctx, const ChannelMessage *m)
{
    Session *s = ctx;
    TlsSignAnswer a = { 0 };

    session_mark(s);
    s->signing = false;
    if (s->phase != SESSION_SHAKING)
        return;
    if (m == NULL || unpack_tls_sign_answer(m->body, &a) != OK)
        a = (TlsSignAnswer){ 0 };
    tls_signed(s->client_tls, a.signature);
}

static Err ask_signature(Session *s, const TlsSignAsk *wanted)
{
    CLEANUP(buf_done) Buf body = { 0 };
    const TlsSign ask = { .epoch = s->tls_epoch,
                          .scheme = (uint8_t)wanted->scheme,
                          .data = wanted->data };

    buf_init(&body, SIGN_BODY_MAX);
    TRY(pack_tls_sign(&body, &ask));
    TRY(channel_ask(s->worker->keeper, ASK_TLS_SIGN, buf_view(&body), on_signature, s));
    s->signing = true;
    return OK;
}

/* Inside: the startup packet comes next, as if the connection had just begun. */
static void enter(Session *s)
{
    if (tls_peer_read(s->client_tls, &s->arena, &s->certificate) != OK) {
        give_up(s);
        return;
    }
    s->phase = SESSION_SIGNIN;
    pg_signin_secured(&s->signin, tls_binding(s->client_tls));
    session_mark(s);
}

static void shake(Session *s)
{
    const Err err = tls_handshake(s->client_tls);
    const TlsSignAsk *wanted = tls_sign_wanted(s->client_tls);

    if (err == OK)
        enter(s);
    else if (err != ERR_MORE || (wanted != NULL && !s->signing && ask_signature(s, wanted) != OK))
        give_up(s);
}

void secure_step(Session *s)
{
    if (s->client_tls != NULL)
        shake(s);
}

static void begin(Session *s, TlsAlpn alpn)
{
    const WorkerEdition *e = s->worker->edition;

    s->phase = SESSION_SHAKING;
    s->tls_epoch = e->epoch;
    if (e->tls == NULL || tls_accept(e->tls, s->client_fd, alpn, &s->client_tls) != OK)
        give_up(s);
    session_mark(s);
}

void secure_begin(Session *s)
{
    begin(s, TLS_ALPN_OPTIONAL);
}

/* The first byte of all tells; it stays in the socket, for TLS to read. */
bool secure_begin_direct(Session *s)
{
    uint8_t first = 0;

    if (s->worker->edition->tls == NULL || s->phase != SESSION_SIGNIN || s->client_tls != NULL ||
        s->signin.phase != SIGNIN_AT_START || s->signin.first_packets > 0 ||
        buf_len(&s->gate.wire.from_client) > 0)
        return false;
    if (recv(s->client_fd, &first, 1, MSG_PEEK | MSG_DONTWAIT) != 1 || first != CLIENT_HELLO)
        return false;
    begin(s, TLS_ALPN_REQUIRED);
    return true;
}
