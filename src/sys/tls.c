#include "sys/tls.h"

#include "sys/tls_parts.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- begin and end ---------------------------------------------------------------------------- */

/* The callback is never called: it is the way to the SSL from inside its job (tls_far_key.c). */
static int on_async(SSL *ssl, void *arg)
{
    (void)ssl;
    (void)arg;
    return 1;
}

static Err tls_new(TlsContext *c, int fd, Tls **ret)
{
    Tls *t = calloc(1, sizeof *t);

    if (t == NULL)
        return ERR_LIMIT;
    t->why = "";
    t->ssl = SSL_new(c->ctx);
    if (t->ssl == NULL || SSL_set_app_data(t->ssl, t) != 1 || SSL_set_fd(t->ssl, fd) != 1) {
        tls_free(t);
        return ERR_LIMIT;
    }
    *ret = t;
    return OK;
}

Err tls_accept(TlsContext *c, int fd, TlsAlpn alpn, Tls **ret)
{
    TRY(tls_new(c, fd, ret));
    Tls *t = *ret;
    t->alpn = alpn;
    t->events.readable = true;
    memcpy(t->binding, c->binding, sizeof t->binding);
    t->binding_len = c->binding_len;
    SSL_set_accept_state(t->ssl);
    if (SSL_set_async_callback(t->ssl, on_async) == 1)
        return OK;
    tls_free(t);
    return ERR_LIMIT;
}

/* X509_VERIFY_PARAM keeps copies. */
static bool expect_host(SSL *ssl, const char *host)
{
    X509_VERIFY_PARAM *p = SSL_get0_param(ssl);
    char name[TLSEXT_MAXLEN_host_name + 1]; /* the macro below wants one that may be changed */

    X509_VERIFY_PARAM_set_hostflags(p, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                           X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (X509_VERIFY_PARAM_set1_ip_asc(p, host) == 1)
        return true;
    ERR_clear_error();
    const int len = snprintf(name, sizeof name, "%s", host);
    return len > 0 && (size_t)len < sizeof name && X509_VERIFY_PARAM_set1_host(p, host, 0) == 1 &&
           SSL_set_tlsext_host_name(ssl, name) == 1;
}

Err tls_connect(TlsContext *c, int fd, const char *host, Tls **ret)
{
    TRY(tls_new(c, fd, ret));
    Tls *t = *ret;
    t->events.writable = true;
    SSL_set_connect_state(t->ssl);
    if (expect_host(t->ssl, host))
        return OK;
    tls_free(t);
    return ERR_LIMIT;
}

void tls_free(Tls *t)
{
    if (t == NULL)
        return;
    /* A job that sleeps has a stack of its own: it has to come to its end. */
    if (t->sign.state == SIGN_WANTED) {
        tls_signed(t, (Bytes){ 0 });
        (void)!tls_handshake(t);
    }
    ERR_clear_error();
    if (t->phase == TLS_OPEN)
        (void)SSL_shutdown(t->ssl);
    SSL_free(t->ssl);
    ERR_clear_error();
    explicit_bzero(t, sizeof *t);
    free(t);
}

/* --- what OpenSSL says -------------------------------------------------------------------------
 */

static const char *last_reason(const Tls *t)
{
    const long verified = SSL_get_verify_result(t->ssl);
    const char *reason = ERR_reason_error_string(ERR_peek_error());

    if (verified != X509_V_OK)
        return X509_verify_cert_error_string(verified);
    return reason != NULL ? reason : "the other side hung up";
}

static Err broken(Tls *t)
{
    const bool refused = SSL_get_verify_result(t->ssl) != X509_V_OK;

    t->phase = TLS_BROKEN;
    t->events = (TlsEvents){ 0 };
    if (t->why[0] == '\0')
        t->why = last_reason(t);
    ERR_clear_error();
    return refused ? ERR_REFUSED : ERR_IO;
}

/* After a call that did not succeed. */
static Err not_yet(Tls *t, int result)
{
    switch (SSL_get_error(t->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        t->events.readable = true;
        return ERR_MORE;
    case SSL_ERROR_WANT_WRITE:
        t->events.writable = true;
        return ERR_MORE;
    case SSL_ERROR_WANT_ASYNC:
        return t->sign.state == SIGN_WANTED ? ERR_MORE : broken(t);
    default:
        return broken(t);
    }
}

/* --- the handshake -----------------------------------------------------------------------------
 */

static void read_peer(Tls *t)
{
    X509 *peer = SSL_get1_peer_certificate(t->ssl);

    if (peer != NULL && tls_end_point(peer, t->binding, &t->binding_len) != OK)
        t->binding_len = 0;
    X509_free(peer);
}

Err tls_handshake(Tls *t)
{
    if (t->phase == TLS_OPEN)
        return OK;
    if (t->phase == TLS_BROKEN)
        return ERR_IO;
    if (t->sign.state == SIGN_WANTED)
        return ERR_MORE;
    ERR_clear_error();
    t->events = (TlsEvents){ 0 };
    const int done = SSL_do_handshake(t->ssl);
    if (done != 1)
        return not_yet(t, done);
    /* Nothing is signed after the handshake: reads and writes need no job of their own. */
    (void)SSL_clear_mode(t->ssl, SSL_MODE_ASYNC);
    t->phase = TLS_OPEN;
    if (!SSL_is_server(t->ssl))
        read_peer(t);
    return OK;
}

bool tls_is_open(const Tls *t)
{
    return t->phase == TLS_OPEN;
}

const TlsSignAsk *tls_sign_wanted(const Tls *t)
{
    return t->sign.state == SIGN_WANTED ? &t->sign.ask : NULL;
}

void tls_signed(Tls *t, Bytes signature)
{
    FarSign *s = &t->sign;

    if (s->state != SIGN_WANTED)
        return;
    s->signature_len = signature.len <= sizeof s->signature ? signature.len : 0;
    if (s->signature_len > 0)
        memcpy(s->signature, signature.ptr, s->signature_len);
    s->state = SIGN_ANSWERED;
}

/* --- bytes -------------------------------------------------------------------------------------
 */

Err tls_read(Tls *t, uint8_t *room, size_t size, size_t *ret_len)
{
    *ret_len = 0;
    if (t->phase != TLS_OPEN)
        return ERR_IO;
    ERR_clear_error();
    t->events.writable = false;
    const Err err = SSL_read_ex(t->ssl, room, size, ret_len) == 1 ? OK : not_yet(t, 0);
    t->drained = err != OK;
    return err;
}

Err tls_write(Tls *t, Bytes out, size_t *ret_len)
{
    *ret_len = 0;
    if (t->phase != TLS_OPEN)
        return ERR_IO;
    ERR_clear_error();
    t->events.writable = false;
    return SSL_write_ex(t->ssl, out.ptr, out.len, ret_len) == 1 ? OK : not_yet(t, 0);
}

bool tls_has_pending(const Tls *t)
{
    /* Half a record is "pending" too; the rest of it will make the socket readable. */
    return t->phase == TLS_OPEN && !t->drained && SSL_has_pending(t->ssl) == 1;
}

TlsEvents tls_events(const Tls *t)
{
    return t->events;
}

/* --- what it is ---------------------------------------------------------------------------------
 */

Bytes tls_binding(const Tls *t)
{
    return (Bytes){ t->binding, t->binding_len };
}

const char *tls_version(const Tls *t)
{
    return SSL_get_version(t->ssl);
}

const char *tls_cipher(const Tls *t)
{
    return SSL_get_cipher_name(t->ssl);
}

const char *tls_why(const Tls *t)
{
    return t->why;
}
