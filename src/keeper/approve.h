/* Approvals: a held statement asks, another person answers, and the answer is used once.
 *
 *              ┌────────► WITHDRAWN   Ctrl-C, session or worker gone (a ticket stays OPEN)
 *     HOLD ─ OPEN ──────► EXPIRED     nobody answered in time
 *              │ ├──────► DENIED
 *              │ └──────► USED        approved while somebody waits: used at once
 *              └────────► APPROVED ─► USED or EXPIRED
 *
 * A request binds caller and unit (text, values, result formats, role, policy …). It is used in
 * the store before the worker hears of it: at most once. Who may answer is a table of reasons
 * why not (approve_answer.c). */
#ifndef KEEPER_APPROVE_H
#define KEEPER_APPROVE_H

#include "keeper/keeper_state.h"
#include "store/store_request.h"

enum { AGENT_REQUESTS_MAX = 3 };

/* Views live in `a`. ERR_MALFORMED: no such session of that worker, or not a question that may
 * be asked. */
Err approve_hold(Keeper *k, const Id *writer, const HoldAsk *ask, Arena *a,
                 HoldAnswer *ret) MUST_CHECK;
Err approve_withdraw(Keeper *k, const Id *writer, const HoldWithdraw *m) MUST_CHECK;
Err approve_session_gone(Keeper *k, const Id *session) MUST_CHECK;
Err approve_writer_gone(Keeper *k, const Id *writer) MUST_CHECK;
/* At start: those that a session waited for which is no longer live. */
Err approve_orphans_gone(Keeper *k) MUST_CHECK;
/* What is past its deadline. */
Err approve_expire(Keeper *k) MUST_CHECK;

/* A person who answers, and what they showed for it. */
typedef struct Approver {
    Identity who;
    StoreUser user;
    StoreVerifier credential;
} Approver;

typedef struct Reply {
    bool approved;
    Bytes reason;
    Bytes check_word; /* empty: not given */
} Reply;

/* Why this person may not answer this request; NULL: they may. */
const char *approve_why_not(Keeper *k, const StoreRequest *r, const Approver *by);
/* approvers.c: as many as it asks for could answer it, with a credential that they hold now. */
Err approvers_are_enough(Keeper *k, const StoreRequest *r, bool *ret) MUST_CHECK;
/* ERR_REFUSED: *ret_why says it. ERR_IO: nothing has happened. On OK `r` is as it is now. */
Err approve_answer(Keeper *k, StoreRequest *r, const Approver *by, const Reply *reply,
                   const char **ret_why) MUST_CHECK;
/* The caller takes it back. ERR_MORE: it is not open. */
Err approve_take_back(Keeper *k, StoreRequest *r, Bytes why) MUST_CHECK;

/* {"text": …, "values": …}; appends. */
Err approve_text(Keeper *k, const StoreRequest *r, Buf *out) MUST_CHECK;

/* Tells the waiting worker, if there is one. Shared by the two halves of this noun. */
void approve_tell(Keeper *k, const StoreRequest *r, HoldState state);

#endif
