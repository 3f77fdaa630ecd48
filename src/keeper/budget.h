/* What each identity has put into the journal on each resource, in this hour and this day.
 *
 *     worker ── RECORDED: a session's bytes so far ──▶ totals ── BUDGET ──▶ workers, who refuse
 *
 * The totals are written to the store every 5 s, together with how much of each session is in
 * them, and at once when a budget is used up. So a keeper that is killed loses nothing of
 * sessions that live (their next message says it all again), at most 5 s of those that ended
 * meanwhile. A worker that is killed takes what it had not said yet: 1 s, or 256 KiB a session. */
#ifndef KEEPER_BUDGET_H
#define KEEPER_BUDGET_H

#include "base/arena.h"
#include "base/map.h"
#include "store/store_recorded.h"

struct Keeper;
struct KeeperPeer;

typedef struct BudgetAccount BudgetAccount;
typedef struct BudgetSession BudgetSession;

typedef struct Budgets {
    Map accounts; /* "user resource" → BudgetAccount */
    Map sessions; /* id → BudgetSession: those that were heard of */
    BudgetSession *first;
    bool dirty; /* there is something that the store does not know */
    uint64_t written_mono_ns;
} Budgets;

/* Reads what the store knows. */
Err budgets_open(struct Keeper *k) MUST_CHECK;
void budgets_done(Budgets *b);
/* RECORDED. ERR_MALFORMED: another worker's session, or fewer bytes than before. */
Err budget_recorded(struct KeeperPeer *peer, Bytes body) MUST_CHECK;
/* Tells the worker of this session how its identity stands. */
Err budget_tell(struct KeeperPeer *peer, const Id *session) MUST_CHECK;
/* Is this budget so far behind that no session may begin? Then *ret_why, in `a`, says so. */
bool budget_refuses(struct Keeper *k, Bytes user, Bytes resource, Arena *a, Bytes *ret_why);
void budget_session_gone(struct Keeper *k, const Id *session);
void budget_writer_gone(struct Keeper *k, const Id *writer);
/* What is new goes to the store, in one transaction. */
Err budgets_write(struct Keeper *k) MUST_CHECK;
/* The same, when it is time. */
Err budgets_tick(struct Keeper *k) MUST_CHECK;
uint64_t budget_day(const struct Keeper *k); /* since 1970, UTC */

#endif
