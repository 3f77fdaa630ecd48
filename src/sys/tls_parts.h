/* What the files of TLS share. Private to sys/tls*.c. */
#ifndef SYS_TLS_PARTS_H
#define SYS_TLS_PARTS_H

#include "sys/tls.h"

#include <openssl/ssl.h>

typedef enum SignState { SIGN_NONE, SIGN_WANTED, SIGN_ANSWERED } SignState;

/* A signature that is made elsewhere. */
typedef struct FarSign {
    SignState state;
    TlsSignAsk ask;
    uint8_t data[TLS_SIGN_MAX], signature[TLS_SIGN_MAX];
    size_t data_len, signature_len; /* signature_len 0: refused */
} FarSign;

/* A key whose private half is elsewhere, and the method that says so. */
typedef struct FarKey {
    EVP_PKEY *key;
    EC_KEY_METHOD *ec;
    RSA_METHOD *rsa;
} FarKey;

struct TlsContext {
    SSL_CTX *ctx;
    X509_STORE *clients; /* who may issue clients' certificates; NULL: none is asked for */
    FarKey key;
    uint8_t binding[TLS_BINDING_MAX];
    size_t binding_len;
};

typedef enum TlsPhase { TLS_SHAKING, TLS_OPEN, TLS_BROKEN } TlsPhase;

struct Tls {
    SSL *ssl; /* its app data is this struct */
    TlsPhase phase;
    TlsAlpn alpn;
    TlsEvents events;
    bool drained; /* the last read found no whole record */
    FarSign sign;
    uint8_t binding[TLS_BINDING_MAX];
    size_t binding_len;
    const char *why;
};

/* tls_certificate.c: the hash of RFC 5929 §4.1; *ret_len 0 where there is none. */
Err tls_end_point(const X509 *certificate, uint8_t ret[TLS_BINDING_MAX], size_t *ret_len);
/* Borrows; NULL: no memory, or far too long. */
BIO *tls_bio_of(Bytes pem);
/* The next certificate of a PEM text; NULL: no more, or broken. */
X509 *tls_next_certificate(BIO *pem);
int tls_no_password(char *room, int size, int writing, void *ctx);

/* tls_context.c: each certificate of `pem`, in order. */
Err tls_each_certificate(Bytes pem, bool (*take)(TlsContext *c, X509 *x, size_t at), TlsContext *c);

/* tls_far_key.c: a key that has `certificate`'s public half and pauses the job to sign. False: it
 * cannot be made; what was made is freed by far_key_done(). */
bool far_key_init(FarKey *k, const X509 *certificate);
void far_key_done(FarKey *k);

#endif
