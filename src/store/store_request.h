/* Requests for approval: what exactly would run, who asked, who answered. */
#ifndef STORE_STORE_REQUEST_H
#define STORE_STORE_REQUEST_H

#include "base/arena.h"
#include "model/identity.h"
#include "model/pack.h"
#include "store/store.h"

typedef enum RequestState {
    REQUEST_OPEN = 0,
    REQUEST_APPROVED, /* not used yet */
    REQUEST_USED,
    REQUEST_DENIED,
    REQUEST_EXPIRED,
    REQUEST_WITHDRAWN,
} RequestState;

typedef struct StoreRequest {
    Id id, session, writer; /* the worker that is to be told */
    Bytes caller;
    IdentityKind caller_kind;
    Bytes resource, rule, role, fact, decision, group;
    Bytes sealed; /* text and values, encrypted by the keeper */
    PackKey unit;
    uint32_t count; /* distinct approvers that are asked for */
    RequestState state;
    bool ticket; /* nobody waits for the answer */
    Bytes check_word;
    uint64_t created_ns, deadline_ns, valid_ms, valid_until_ns, answered_ns;
    Bytes who, why;
    PackKey leaf; /* of the answer that settled it */
} StoreRequest;

typedef struct StoreAnswer {
    Bytes who;
    bool approved;
    Bytes reason;
    uint64_t at_ns;
} StoreAnswer;

/* What a request is found by; zero and empty match everything. */
typedef struct RequestFilter {
    Bytes caller;
    const PackKey *unit;
    const Id *session, *writer;
    unsigned states; /* bits 1 << RequestState; 0: all */
} RequestFilter;

typedef Err StoreRequestFn(void *ctx, const StoreRequest *request);
typedef Err StoreAnswerFn(void *ctx, const StoreAnswer *answer);

const char *request_state_name(RequestState state); /* "open", "approved" … */

/* ERR_REFUSED: the id, as shown, is taken. */
Err store_request_add(Store *s, const StoreRequest *r) MUST_CHECK;
/* ERR_MORE: no such request. Copies into `a`. */
Err store_request_get(Store *s, const Id *id, Arena *a, StoreRequest *ret) MUST_CHECK;
Err store_request_find(Store *s, Bytes text, Arena *a, StoreRequest *ret) MUST_CHECK;
/* Newest first. The callback may change requests, but not walk them. */
Err store_request_each(Store *s, const RequestFilter *filter, StoreRequestFn *fn,
                       void *ctx) MUST_CHECK;
Err store_request_count(Store *s, const RequestFilter *filter, uint64_t *ret) MUST_CHECK;
/* Moves `r` from the state `from` to what it says now: state, ticket, times, who, why, leaf,
 * session, writer. ERR_MORE: it was not in `from` any more. */
Err store_request_move(Store *s, const StoreRequest *r, RequestState from) MUST_CHECK;

/* The clock of the day was set by so much: what somebody waits for ends as much later, or earlier.
 */
Err store_request_shift(Store *s, int64_t by_ns) MUST_CHECK;

/* ERR_REFUSED: this person has answered. */
Err store_answer_add(Store *s, const Id *request, const StoreAnswer *a) MUST_CHECK;
Err store_answer_each(Store *s, const Id *request, StoreAnswerFn *fn, void *ctx) MUST_CHECK;

#endif
