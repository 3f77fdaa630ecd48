/* The numbers of /metrics: what workers counted, added up, and what the keeper knows itself.
 *
 * Labels are resources of the configuration and words of our own: no user, no text, no value. */
#ifndef KEEPER_TALLY_H
#define KEEPER_TALLY_H

#include "model/ask.h"
#include "model/tally.h"
#include "policy/policy.h"

struct Keeper;
struct KeeperPeer;

typedef struct Tallies {
    Tally *resources; /* of every edition since this keeper's start: counters do not go back */
    size_t count;
    Histogram syncs;
} Tallies;

/* The policy's resources are counted from now on. */
Err tallies_name(struct Keeper *k, const Policy *policy) MUST_CHECK;
void tallies_done(Tallies *t);
/* TALLY and SYNCS. ERR_MALFORMED: a resource that never was, or no histogram. */
Err tally_count(struct Keeper *k, Bytes body) MUST_CHECK;
Err tally_syncs(struct Keeper *k, Bytes body) MUST_CHECK;
/* Appends a packed Metrics; `processes` is the supervisor's JSON. */
Err tally_metrics(struct Keeper *k, Bytes processes, Buf *out) MUST_CHECK;
/* METRICS: asks the supervisor first, answers question `id` then. */
Err tally_ask(struct KeeperPeer *p, uint64_t id) MUST_CHECK;

#endif
