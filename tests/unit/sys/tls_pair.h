/* Certificates and keys made on the spot, and two ends of a socket pair that speak TLS. */
#ifndef TLS_PAIR_H
#define TLS_PAIR_H

#include "base/buf.h"
#include "base/text.h"
#include "sys/tls_key.h"
#include "test.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct KeyPair {
    Buf key, certificate;
} KeyPair;

typedef struct PairAsk {
    const char *kind;      /* "P-256", "P-384", "RSA", "ED25519" */
    const char *names;     /* "DNS:localhost" */
    long begins_s, ends_s; /* from now */
    const EVP_MD *digest;
} PairAsk;

static inline void take_bio(BIO *bio, Buf *out)
{
    char *text;
    const long len = BIO_get_mem_data(bio, &text);

    buf_init(out, 64 << 10);
    EXPECT(len > 0 && buf_append(out, (Bytes){ (const uint8_t *)text, (size_t)len }) == OK);
    BIO_free(bio);
}

static inline EVP_PKEY *pair_key(const char *kind)
{
    if (strcmp(kind, "RSA") == 0)
        return EVP_RSA_gen(2048);
    return strcmp(kind, "ED25519") == 0 ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
                                        : EVP_EC_gen(kind);
}

static inline KeyPair pair_make(const PairAsk *ask)
{
    EVP_PKEY *key = pair_key(ask->kind);
    X509 *x = X509_new();
    BIO *key_bio = BIO_new(BIO_s_mem()), *x_bio = BIO_new(BIO_s_mem());
    KeyPair p;

    EXPECT(key != NULL && x != NULL && key_bio != NULL && x_bio != NULL);
    X509_EXTENSION *names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, ask->names);
    EXPECT(X509_set_version(x, X509_VERSION_3) == 1 && names != NULL);
    EXPECT(ASN1_INTEGER_set(X509_get_serialNumber(x), rand() + 1L) == 1);
    EXPECT(X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                                      (const unsigned char *)"self", -1, -1, 0) == 1);
    EXPECT(X509_set_issuer_name(x, X509_get_subject_name(x)) == 1);
    EXPECT(X509_gmtime_adj(X509_getm_notBefore(x), ask->begins_s) != NULL);
    EXPECT(X509_gmtime_adj(X509_getm_notAfter(x), ask->ends_s) != NULL);
    EXPECT(X509_set_pubkey(x, key) == 1 && X509_add_ext(x, names, -1) == 1);
    EXPECT(X509_sign(x, key, ask->digest) > 0);
    EXPECT(PEM_write_bio_X509(x_bio, x) == 1);
    EXPECT(PEM_write_bio_PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL) == 1);
    take_bio(key_bio, &p.key);
    take_bio(x_bio, &p.certificate);
    X509_EXTENSION_free(names);
    X509_free(x);
    EVP_PKEY_free(key);
    return p;
}

static inline KeyPair pair_of(const char *kind)
{
    return pair_make(&(PairAsk){ kind, "DNS:localhost,IP:127.0.0.1", -60, 3600, EVP_sha256() });
}

static inline void pair_done(KeyPair *p)
{
    buf_done(&p->key);
    buf_done(&p->certificate);
}

/* Server and client of one certificate that is its own authority. */
typedef struct Ends {
    KeyPair pair;
    TlsContext *server, *client;
    TlsKey *key;
    int fds[2];
    Tls *accepted, *connected;
} Ends;

static inline void ends_begin(Ends *e, const char *kind)
{
    const char *why;

    *e = (Ends){ .pair = pair_of(kind) };
    const Bytes chain = buf_view(&e->pair.certificate);
    EXPECT(tls_key_new(buf_view(&e->pair.key), chain, &e->key, &why) == OK);
    EXPECT(tls_server_new(chain, &e->server, &why) == OK);
    EXPECT(tls_client_new(chain, &e->client, &why) == OK);
}

static inline void ends_open(Ends *e, const char *host)
{
    EXPECT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, e->fds) == 0);
    EXPECT(tls_accept(e->server, e->fds[0], TLS_ALPN_REQUIRED, &e->accepted) == OK);
    EXPECT(tls_connect(e->client, e->fds[1], host, &e->connected) == OK);
}

static inline void ends_close(Ends *e)
{
    tls_free(e->connected);
    tls_free(e->accepted);
    e->connected = e->accepted = NULL;
    close(e->fds[0]);
    close(e->fds[1]);
}

static inline void ends_done(Ends *e)
{
    tls_context_free(e->server);
    tls_context_free(e->client);
    tls_key_free(e->key);
    pair_done(&e->pair);
}

/* The keeper: answers if a signature is due. */
static inline bool ends_sign(const Ends *e, Tls *t)
{
    Buf signature;
    const TlsSignAsk *ask = tls_sign_wanted(t);

    if (ask == NULL)
        return false;
    buf_init(&signature, TLS_SIGN_MAX);
    EXPECT(tls_key_sign(e->key, ask->scheme, ask->data, &signature) == OK);
    tls_signed(t, buf_view(&signature));
    buf_done(&signature);
    return true;
}

static inline void ends_shake(Ends *e)
{
    for (int i = 0; i < 100; i++) {
        const Err ours = tls_handshake(e->accepted), theirs = tls_handshake(e->connected);

        EXPECT((ours == OK || ours == ERR_MORE) && (theirs == OK || theirs == ERR_MORE));
        if (ours == OK && theirs == OK)
            return;
        (void)ends_sign(e, e->accepted);
    }
    EXPECT(false);
}

#endif
