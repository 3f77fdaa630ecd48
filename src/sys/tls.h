/* TLS 1.2 and 1.3 over a non-blocking socket. The only place with SSL_*.
 *
 *     TlsContext   certificates and trust of one side; one for each process and purpose
 *     Tls          one connection: shake hands, then read and write; never blocks
 *
 * A server's private key is not here: who signs is another process. The handshake stops with
 * tls_sign_wanted(), goes on after tls_signed(); in between other connections are served
 * (docs/decisions/2026-11-23-the-keeper-signs-handshakes.md).
 *
 * No renegotiation, compression, tickets or resumption: every handshake is a whole one. */
#ifndef SYS_TLS_H
#define SYS_TLS_H

#include "base/base.h"

enum { TLS_BINDING_MAX = 64, TLS_SIGN_MAX = 1024 };

/* How a signature is made. What is signed: ECDSA a digest; PKCS1 a digest; PSS the encoded block,
 * as long as the modulus. */
typedef enum TlsScheme {
    TLS_ECDSA = 1,
    TLS_RSA_PKCS1 = 2,
    TLS_RSA_PSS = 3,
} TlsScheme;

typedef struct TlsSignAsk {
    TlsScheme scheme;
    Bytes data; /* lives until tls_signed() */
} TlsSignAsk;

typedef struct TlsContext TlsContext;
typedef struct Tls Tls;

/* Once, before the sandbox closes: a whole handshake in memory, so that everything is loaded. */
Err tls_warm(void) MUST_CHECK;

/* `chain_pem`: the certificate, then its issuers. ERR_MALFORMED: *ret_why says what is wrong. */
Err tls_server_new(Bytes chain_pem, TlsContext **ret, const char **ret_why) MUST_CHECK;
/* `ca_pem`: whom to believe; nobody else is. */
Err tls_client_new(Bytes ca_pem, TlsContext **ret, const char **ret_why) MUST_CHECK;
void tls_context_free(TlsContext *c); /* after its connections; NULL is fine */

typedef enum TlsAlpn { TLS_ALPN_OPTIONAL, TLS_ALPN_REQUIRED } TlsAlpn;

/* `fd` stays the caller's. With TLS_ALPN_REQUIRED a client that does not ask for "postgresql" is
 * turned away; one that asks only for something else always is. */
Err tls_accept(TlsContext *c, int fd, TlsAlpn alpn, Tls **ret) MUST_CHECK;
/* The certificate must be for `host`: a name (also sent as SNI) or an address. */
Err tls_connect(TlsContext *c, int fd, const char *host, Tls **ret) MUST_CHECK;
/* Says goodbye if it can, and frees; the descriptor stays open. NULL is fine. */
void tls_free(Tls *t);

/* OK: done. ERR_MORE: come back when the socket is ready (tls_events()) or after tls_signed().
 * ERR_REFUSED: the other side's certificate is not accepted; anything else: it failed. */
Err tls_handshake(Tls *t) MUST_CHECK;
bool tls_is_open(const Tls *t); /* the handshake is done */
/* NULL: no signature is due. */
const TlsSignAsk *tls_sign_wanted(const Tls *t);
/* An empty signature: refused, and the handshake fails. Then tls_handshake(). */
void tls_signed(Tls *t, Bytes signature);

/* OK: *ret_len > 0 bytes came or went. ERR_MORE: none now. ERR_IO: the connection has ended. After
 * ERR_MORE a write must be tried again with the same bytes at its front, and at least as many. */
Err tls_read(Tls *t, uint8_t *room, size_t size, size_t *ret_len) MUST_CHECK;
Err tls_write(Tls *t, Bytes out, size_t *ret_len) MUST_CHECK;
/* Bytes were read from the socket and not from here: poll() does not tell of them. */
bool tls_has_pending(const Tls *t);

typedef struct TlsEvents {
    bool readable, writable;
} TlsEvents;

/* What of the socket must be awaited for the next step, besides what the caller wants itself. */
TlsEvents tls_events(const Tls *t);

/* tls-server-end-point (RFC 5929) of the server's certificate. Empty: there is none for it. */
Bytes tls_binding(const Tls *t);
const char *tls_version(const Tls *t); /* "TLSv1.3" */
const char *tls_cipher(const Tls *t);  /* "TLS_AES_256_GCM_SHA384" */
/* Why it failed: a static text. */
const char *tls_why(const Tls *t);

#endif
