/* One handshake between two ends of a socket pair, with a key that nobody keeps. */
#include "sys/tls_key.h"
#include "sys/tls_parts.h"

#include <openssl/async.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PEM_MAX = 8 << 10, STEPS_MAX = 100, VALID_S = 3600 };

static bool name_it(X509 *x)
{
    X509_EXTENSION *names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:warm");
    const bool ok = names != NULL && X509_add_ext(x, names, -1) == 1;

    X509_EXTENSION_free(names);
    return ok;
}

static X509 *self_signed(EVP_PKEY *key)
{
    X509 *x = X509_new();

    if (x != NULL && X509_set_version(x, X509_VERSION_3) == 1 &&
        ASN1_INTEGER_set(X509_get_serialNumber(x), 1) == 1 &&
        X509_gmtime_adj(X509_getm_notBefore(x), -VALID_S) != NULL &&
        X509_gmtime_adj(X509_getm_notAfter(x), VALID_S) != NULL && X509_set_pubkey(x, key) == 1 &&
        name_it(x) && X509_sign(x, key, EVP_sha256()) > 0)
        return x;
    X509_free(x);
    return NULL;
}

static Err take_pem(BIO *bio, Buf *out)
{
    char *text;
    const long len = BIO_get_mem_data(bio, &text);

    return len > 0 ? buf_append(out, (Bytes){ (const uint8_t *)text, (size_t)len }) : ERR_LIMIT;
}

static Err make_pair(Buf *ret_key, Buf *ret_certificate)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = key != NULL ? self_signed(key) : NULL;
    BIO *key_pem = BIO_new(BIO_s_secmem()), *x_pem = BIO_new(BIO_s_mem());
    Err err = ERR_LIMIT;

    if (x != NULL && key_pem != NULL && x_pem != NULL && PEM_write_bio_X509(x_pem, x) == 1 &&
        PEM_write_bio_PrivateKey(key_pem, key, NULL, NULL, 0, NULL, NULL) == 1)
        err = take_pem(key_pem, ret_key);
    if (err == OK)
        err = take_pem(x_pem, ret_certificate);
    BIO_free(key_pem);
    BIO_free(x_pem);
    X509_free(x);
    EVP_PKEY_free(key);
    return err;
}

static Err sign(Tls *t, const TlsKey *key)
{
    CLEANUP(buf_done) Buf signature = { 0 };
    const TlsSignAsk *ask = tls_sign_wanted(t);

    if (ask == NULL)
        return OK;
    buf_init(&signature, TLS_SIGN_MAX);
    TRY(tls_key_sign(key, ask->scheme, ask->data, &signature));
    tls_signed(t, buf_view(&signature));
    return OK;
}

static Err shake(Tls *server, Tls *client, const TlsKey *key)
{
    for (int i = 0; i < STEPS_MAX; i++) {
        const Err ours = tls_handshake(server), theirs = tls_handshake(client);

        if (ours == OK && theirs == OK)
            return OK;
        if ((ours != OK && ours != ERR_MORE) || (theirs != OK && theirs != ERR_MORE))
            return ERR_REFUSED;
        TRY(sign(server, key));
    }
    return ERR_LIMIT;
}

typedef struct Ends {
    TlsContext *server, *client;
    Tls *accepted, *connected;
    TlsKey *key;
    int fds[2];
} Ends;

static void ends_done(Ends *e)
{
    tls_free(e->connected);
    tls_free(e->accepted);
    tls_context_free(e->server);
    tls_context_free(e->client);
    tls_key_free(e->key);
    if (e->fds[0] > 0) {
        close(e->fds[0]);
        close(e->fds[1]);
    }
}

Err tls_warm(void)
{
    CLEANUP(buf_done) Buf key = { 0 }, certificate = { 0 };
    CLEANUP(ends_done) Ends e = { 0 };
    const char *why;

    buf_init(&key, PEM_MAX);
    buf_init(&certificate, PEM_MAX);
    if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1 || ASYNC_init_thread(0, 0) != 1)
        return ERR_LIMIT;
    TRY(make_pair(&key, &certificate));
    TRY(tls_key_new(buf_view(&key), buf_view(&certificate), &e.key, &why));
    TRY(tls_server_new(buf_view(&certificate), &e.server, &why));
    TRY(tls_client_new(buf_view(&certificate), &e.client, &why));
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, e.fds) != 0)
        return ERR_IO;
    TRY(tls_accept(e.server, e.fds[0], TLS_ALPN_REQUIRED, &e.accepted));
    TRY(tls_connect(e.client, e.fds[1], "warm", &e.connected));
    return shake(e.accepted, e.connected, e.key);
}
