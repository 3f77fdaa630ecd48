/* Sessions, and the wrapped keys of their records. */
#ifndef STORE_STORE_SESSION_H
#define STORE_STORE_SESSION_H

#include "base/arena.h"
#include "model/identity.h"
#include "model/pack.h"
#include "store/store.h"

typedef struct StoreSession {
    Id id, writer;
    Bytes user;
    IdentityKind kind;
    Bytes resource, peer, application, purpose;
    Id credential; /* the verifier that opened it */
    Id audit_key, content_key;
    uint64_t first_segment; /* no record of it lies in a segment before this one */
    uint64_t started_ns, ended_ns;
    Bytes reason;
    uint64_t statements;
    uint64_t recorded; /* bytes of the journal, as far as they are counted (store_recorded.h) */
    Bytes server;      /* "10.0.0.7:5432" of the target; empty: not there yet */
    /* The client certificate that it was opened with, the hash in hex; empty: none. */
    Bytes certificate_subject, certificate_sha256;
} StoreSession;

typedef struct StoreKey {
    Id id;
    Bytes wrapped;
    Id session; /* zero: the keeper's own */
    bool content;
    uint64_t created_ns;
} StoreKey;

typedef struct SessionFilter {
    Bytes user;
    const Id *writer;
    bool live;      /* only those that have not ended */
    uint64_t limit; /* 0: all */
} SessionFilter;

typedef Err StoreSessionFn(void *ctx, const StoreSession *session);

/* ERR_REFUSED: the id, as shown, is taken. */
Err store_session_add(Store *s, const StoreSession *session) MUST_CHECK;
/* ERR_MORE: no such session. Copies into `a`. */
Err store_session_get(Store *s, const Id *id, Arena *a, StoreSession *ret) MUST_CHECK;
Err store_session_find(Store *s, Bytes text, Arena *a, StoreSession *ret) MUST_CHECK;
/* Newest first. */
Err store_session_each(Store *s, const SessionFilter *filter, StoreSessionFn *fn,
                       void *ctx) MUST_CHECK;
/* ERR_MORE: not live. */
Err store_session_end(Store *s, const StoreSession *ended) MUST_CHECK;
/* Which of the target's servers it is on. */
Err store_session_server(Store *s, const Id *id, Bytes endpoint) MUST_CHECK;
Err store_session_live_count(Store *s, uint64_t *ret) MUST_CHECK;

/* Why a live session may not go on: whoever it belongs to, or what it was opened with. */
typedef enum Fallen {
    FALLEN_USER_GONE = 1,
    FALLEN_USER_DISABLED,
    FALLEN_USER_EXPIRED,
    FALLEN_CREDENTIAL_GONE, /* a password that was replaced */
    FALLEN_CREDENTIAL_REVOKED,
    FALLEN_CREDENTIAL_EXPIRED,
} Fallen;

/* Only id and writer of the session are set. */
typedef Err StoreFallenFn(void *ctx, const StoreSession *session, Fallen why);
Err store_session_fallen(Store *s, uint64_t now_ns, StoreFallenFn *fn, void *ctx) MUST_CHECK;

Err store_key_add(Store *s, const StoreKey *key) MUST_CHECK;
/* ERR_MORE: no such key, or shredded. Appends the wrapped key. */
Err store_key_get(Store *s, const Id *id, Buf *out) MUST_CHECK;

#endif
