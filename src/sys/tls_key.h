/* A server's private key, for the one process that holds it, and what its certificate says.
 *
 * Signs digests and PSS-encoded blocks only: never a block of the asker's own making, so that it
 * is no oracle for raw RSA. */
#ifndef SYS_TLS_KEY_H
#define SYS_TLS_KEY_H

#include "base/buf.h"
#include "sys/tls.h"

typedef struct TlsKey TlsKey;

typedef struct TlsCertificate {
    uint64_t not_before_s, not_after_s; /* UNIX time */
    uint64_t first_end_s;               /* the earliest not_after of all in the file */
    uint8_t binding[TLS_BINDING_MAX];   /* tls-server-end-point */
    size_t binding_len;                 /* 0: there is none for its signature algorithm */
} TlsCertificate;

/* The first of `chain_pem`. ERR_MALFORMED: *ret_why says what is wrong, also with the others. */
Err tls_certificate_read(Bytes chain_pem, TlsCertificate *ret, const char **ret_why) MUST_CHECK;

/* When the first of these revocation lists is to be followed by another one; 0: never.
 * ERR_MALFORMED as above. */
Err tls_revoked_read(Bytes pem, uint64_t *ret_next_s, const char **ret_why) MUST_CHECK;

/* P-256, P-384 or RSA of at least 2048 bits, unencrypted PEM, and the certificate's own. */
Err tls_key_new(Bytes key_pem, Bytes chain_pem, TlsKey **ret, const char **ret_why) MUST_CHECK;
void tls_key_free(TlsKey *k); /* wipes; NULL is fine */
/* May be called by several threads at once. Appends. ERR_REFUSED: not what a handshake signs. */
Err tls_key_sign(const TlsKey *k, TlsScheme scheme, Bytes data, Buf *out) MUST_CHECK;

#endif
