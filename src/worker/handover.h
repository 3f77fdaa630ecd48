/* What a new edition means for each session: judged by it from now on, or cut.
 *
 *     not signed in yet    meets the new resources
 *     role or target gone  FATAL: connect again
 *     held command         its request is withdrawn, it is judged again
 *     everything else      the next statement meets the new rules; rows on their way keep the plan
 *                          that they left with */
#ifndef WORKER_HANDOVER_H
#define WORKER_HANDOVER_H

#include "worker/worker.h"

/* `same_rules`: only certificates and secrets are new. */
void hand_over_sessions(Worker *w, bool same_rules);

#endif
