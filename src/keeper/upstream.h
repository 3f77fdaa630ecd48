/* Proving to a target that we know its password, without telling it to the worker that asks.
 *
 * PBKDF2 runs off the loop (up to 133 ms); what it gives is kept for the next connection. */
#ifndef KEEPER_UPSTREAM_H
#define KEEPER_UPSTREAM_H

#include "crypto/scram.h"
#include "model/ask.h"
#include "policy/policy.h"
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
/* For whom a worker asks: its own schema connection (`session` zero), or a session that signed in
 * through it to that very resource. */
typedef struct UpstreamOf {
    Id session;
    uint64_t epoch;
    uint32_t resource; /* index in the policy of that epoch */
} UpstreamOf;

/* ERR_MALFORMED: there is no such resource; another error: not for this session, or not any more.
 */
Err upstream_resource(const struct KeeperPeer *peer, const UpstreamOf *of,
                      const Resource **ret) MUST_CHECK;
/* Answers by the peer's channel, now or later. ERR_MALFORMED: not a question that may be asked. */
Err upstream_md5(struct KeeperPeer *peer, const ChannelMessage *m) MUST_CHECK;
Err upstream_prove(struct KeeperPeer *peer, uint64_t question, Bytes body) MUST_CHECK;

#endif
