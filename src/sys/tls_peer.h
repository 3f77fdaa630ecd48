/* What a client shows of itself in the handshake, and what that is worth. Servers only. */
#ifndef SYS_TLS_PEER_H
#define SYS_TLS_PEER_H

#include "base/arena.h"
#include "sys/tls.h"

enum { TLS_PEER_NAMES_MAX = 8, TLS_SHA256_BYTES = 32 };

typedef struct TlsPeer {
    bool shown;
    uint8_t sha256[TLS_SHA256_BYTES]; /* of the certificate's DER */
    Bytes subject;                    /* RFC 4514 text, cut at 256 bytes */
    /* Whom it names: its only common name, its e-mail addresses; whatever is no plain text is left
     * out. */
    Bytes names[TLS_PEER_NAMES_MAX];
    size_t name_count;
} TlsPeer;

/* From now on clients are asked for a certificate; none has to show one, and any is taken in the
 * handshake. `crl_pem` may be empty; if it is not, each authority of a chain needs its list. */
Err tls_server_ask_clients(TlsContext *c, Bytes ca_pem, Bytes crl_pem,
                           const char **ret_why) MUST_CHECK;
/* Does what the client showed hold by the authorities of `c`, today? NULL: it does; else why not, a
 * static text. `c` need not be the context of the connection. */
const char *tls_peer_wrong(const TlsContext *c, const Tls *t);
/* After the handshake. Views live in `a`. */
Err tls_peer_read(const Tls *t, Arena *a, TlsPeer *ret) MUST_CHECK;

#endif
