/* Proving to a target that we know its password, without telling it to the worker that asks.
 *
 * PBKDF2 runs off the loop (up to 133 ms); what it gives is kept for the next connection. */
#ifndef KEEPER_UPSTREAM_H
#define KEEPER_UPSTREAM_H

#include "crypto/scram.h"
#include "model/ask.h"
#include "sys/channel.h"

enum { SALTED_MAX = 64 };

typedef struct Salted {
    uint64_t used; /* 0: free; else the higher, the later */
    uint32_t resource, rounds;
    uint8_t salt[SCRAM_SALT_MAX];
    size_t salt_bytes;
    Hash password; /* its hash: a changed password is another entry */
    Hash salted;
} Salted;

typedef struct SaltedCache {
    Salted at[SALTED_MAX];
    uint64_t clock;
} SaltedCache;

struct Keeper;
struct KeeperPeer;

void salted_cache_done(SaltedCache *c);
/* Answers by the peer's channel, now or later. ERR_MALFORMED: not a question that may be asked. */
Err upstream_md5(struct KeeperPeer *peer, const ChannelMessage *m) MUST_CHECK;
Err upstream_prove(struct KeeperPeer *peer, uint64_t question, Bytes body) MUST_CHECK;

#endif
