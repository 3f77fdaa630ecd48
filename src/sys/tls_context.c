/* Certificates, trust and what may be negotiated at all. */
#include "sys/tls_parts.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

/* TLS 1.2 with forward secrecy and AEAD only; 1.3 has nothing else. */
static const char CIPHERS_1_2[] = "ECDHE+AESGCM:ECDHE+CHACHA20";
#define GROUPS "X25519:P-256:P-384"
#define SIGNATURES                                                                                 \
    "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ed25519:"                                              \
    "RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:RSA+SHA256:RSA+SHA384:RSA+SHA512"
static const uint8_t ALPN[] = "\012postgresql";

enum { SECURITY_LEVEL = 2 };

/* --- ALPN ------------------------------------------------------------------------------------- */

/* Before anything is signed: a client that must ask for our protocol and asks for none. */
static int on_client_hello(SSL *ssl, int *ret_alert, void *ctx)
{
    Tls *t = SSL_get_app_data(ssl);
    const unsigned char *names;
    size_t len;

    (void)ctx;
    if (t->alpn == TLS_ALPN_OPTIONAL ||
        SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &names,
                                  &len) == 1)
        return SSL_CLIENT_HELLO_SUCCESS;
    t->why = "direct TLS without ALPN";
    *ret_alert = SSL_AD_NO_APPLICATION_PROTOCOL;
    return SSL_CLIENT_HELLO_ERROR;
}

static int on_alpn(SSL *ssl, const unsigned char **ret, unsigned char *ret_len,
                   const unsigned char *names, unsigned len, void *ctx)
{
    Tls *t = SSL_get_app_data(ssl);

    (void)ctx;
    for (unsigned at = 0; at < len; at += names[at] + 1u)
        if (names[at] == ALPN[0] && len - at > ALPN[0] && memcmp(names + at, ALPN, 11) == 0) {
            *ret = names + at + 1;
            *ret_len = ALPN[0];
            return SSL_TLSEXT_ERR_OK;
        }
    t->why = "ALPN does not name postgresql";
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* --- both sides ------------------------------------------------------------------------------- */

static bool set_common(SSL_CTX *ctx)
{
    char groups[] = GROUPS, signatures[] = SIGNATURES; /* the macros below want them so */

    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_security_level(ctx, SECURITY_LEVEL);
    SSL_CTX_set_read_ahead(ctx, 1);
    return SSL_CTX_set_num_tickets(ctx, 0) == 1 &&
           SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_cipher_list(ctx, CIPHERS_1_2) == 1 &&
           SSL_CTX_set1_groups_list(ctx, groups) == 1 &&
           SSL_CTX_set1_sigalgs_list(ctx, signatures) == 1;
}

static Err context_new(const SSL_METHOD *method, TlsContext **ret)
{
    TlsContext *c = calloc(1, sizeof *c);

    if (c == NULL || OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1) {
        free(c);
        return ERR_LIMIT;
    }
    c->ctx = SSL_CTX_new(method);
    if (c->ctx == NULL || !set_common(c->ctx)) {
        tls_context_free(c);
        return ERR_LIMIT;
    }
    *ret = c;
    return OK;
}

void tls_context_free(TlsContext *c)
{
    if (c == NULL)
        return;
    SSL_CTX_free(c->ctx);
    X509_STORE_free(c->clients);
    far_key_done(&c->key);
    free(c);
}

Err tls_each_certificate(Bytes pem, bool (*take)(TlsContext *c, X509 *x, size_t at), TlsContext *c)
{
    BIO *bio = tls_bio_of(pem);
    size_t count = 0;
    bool ok = bio != NULL;

    for (X509 *x = NULL; ok; X509_free(x)) {
        x = tls_next_certificate(bio);
        if (x == NULL)
            break;
        ok = take(c, x, count++);
    }
    const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    BIO_free(bio);
    ERR_clear_error();
    return ok && at_end && count > 0 ? OK : ERR_MALFORMED;
}

/* --- the server's ------------------------------------------------------------------------------
 */

static bool take_own(TlsContext *c, X509 *x, size_t at)
{
    if (at > 0)
        return SSL_CTX_add1_chain_cert(c->ctx, x) == 1;
    if (tls_end_point(x, c->binding, &c->binding_len) != OK)
        return false;
    return far_key_init(&c->key, x) && SSL_CTX_use_certificate(c->ctx, x) == 1 &&
           SSL_CTX_use_PrivateKey(c->ctx, c->key.key) == 1;
}

Err tls_server_new(Bytes chain_pem, TlsContext **ret, const char **ret_why)
{
    TlsContext *c;

    *ret_why = "no memory";
    TRY(context_new(TLS_server_method(), &c));
    SSL_CTX_set_mode(c->ctx, SSL_MODE_ASYNC);
    SSL_CTX_set_client_hello_cb(c->ctx, on_client_hello, NULL);
    SSL_CTX_set_alpn_select_cb(c->ctx, on_alpn, NULL);
    const Err err = tls_each_certificate(chain_pem, take_own, c);
    if (err != OK) {
        *ret_why = "the certificate cannot be used";
        tls_context_free(c);
        return err;
    }
    *ret = c;
    return OK;
}

/* --- the client's ------------------------------------------------------------------------------
 */

static bool take_trusted(TlsContext *c, X509 *x, size_t at)
{
    (void)at;
    return X509_STORE_add_cert(SSL_CTX_get_cert_store(c->ctx), x) == 1;
}

Err tls_client_new(Bytes ca_pem, TlsContext **ret, const char **ret_why)
{
    TlsContext *c;

    *ret_why = "no memory";
    TRY(context_new(TLS_client_method(), &c));
    SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER, NULL);
    Err err = tls_each_certificate(ca_pem, take_trusted, c);
    if (err == OK && SSL_CTX_set_alpn_protos(c->ctx, ALPN, sizeof ALPN - 1) != 0)
        err = ERR_LIMIT;
    if (err != OK) {
        *ret_why = "no certificate in PEM is in it, or one is broken";
        tls_context_free(c);
        return err;
    }
    *ret = c;
    return OK;
}
