/* Signing the TLS handshakes of clients: the key stays here, workers ask for each signature.
 *
 * What is signed has the form of a handshake's digest and nothing else (sys/tls_key.h), and only
 * so many a second for one worker. RSA takes a millisecond, so it is done on the pool. */
#ifndef KEEPER_HANDSHAKE_H
#define KEEPER_HANDSHAKE_H

#include "base/buf.h"
#include "config/config.h"
#include "sys/tls_key.h"

enum { HANDSHAKES_BURST = 1000, HANDSHAKES_A_SECOND = 500, EXPIRY_WARNING_DAYS = 14 };

typedef struct Handshakes {
    TlsKey *key; /* NULL: no TLS towards clients */
    TlsCertificate certificate;
    uint64_t clients_end_s;  /* the first of their authorities ends; 0: none are asked */
    uint64_t revoked_next_s; /* the first revocation list has to be followed; 0: there is none */
} Handshakes;

/* How much a worker may still ask for. Zeroed: a full bucket. */
typedef struct SignAllowance {
    uint64_t used, since_mono_ns;
} SignAllowance;

struct Keeper;
struct KeeperPeer;

/* Reads certificate and key of `c`, looks at the targets' authorities. ERR_*: *why says what is
 * wrong, for people. */
Err handshakes_open(const Config *c, Bytes public_files, uint64_t now_unix_ns, Handshakes *ret,
                    Buf *why) MUST_CHECK;
void handshakes_done(Handshakes *h);
bool handshake_may(SignAllowance *a, uint64_t now_mono_ns);
/* Answers by the peer's channel, later. ERR_MALFORMED: not a question that may be asked. */
Err handshake_sign(struct KeeperPeer *peer, uint64_t question, Bytes body) MUST_CHECK;
/* Whole days until then; negative: it is over. */
int64_t handshakes_days_until(uint64_t end_s, uint64_t now_unix_ns);

#endif
