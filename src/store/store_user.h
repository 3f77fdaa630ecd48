/* Local identities: people, agents, services; their verifiers and groups. */
#ifndef STORE_STORE_USER_H
#define STORE_STORE_USER_H

#include "base/arena.h"
#include "model/identity.h"
#include "model/pack.h"
#include "store/store.h"

/* Names of users and groups: 1 to 63 of a-z 0-9 . _ @ - */
enum { STORE_NAME_MAX = 63 };

typedef struct StoreUser {
    Bytes name;
    IdentityKind kind;
    Bytes owner, purpose;
    uint64_t expires_ns; /* 0: never */
    bool disabled;
    Bytes salt; /* one for all of the user's verifiers */
    uint32_t rounds;
    Bytes credential_issued_by; /* who made or last reset the password */
    Bytes created_by;
    uint64_t created_ns;
} StoreUser;

typedef enum VerifierKind { VERIFIER_PASSWORD = 1, VERIFIER_TOKEN } VerifierKind;

typedef struct StoreVerifier {
    Id id;
    Bytes user;
    VerifierKind kind;
    PackKey stored_key, server_key;
    PackKey lookup; /* tokens: a keyed hash, to find one without PBKDF2; passwords: zero */
    uint64_t expires_ns;
    Bytes issued_by;
    uint64_t created_ns;
    uint64_t revoked_ns;
} StoreVerifier;

typedef struct StoreGroups {
    const Bytes *at;
    size_t count;
} StoreGroups;

typedef Err StoreUserFn(void *ctx, const StoreUser *user);
typedef Err StoreVerifierFn(void *ctx, const StoreVerifier *verifier);

bool store_name_valid(Bytes name);

/* ERR_REFUSED: the name is taken. */
Err store_user_add(Store *s, const StoreUser *user) MUST_CHECK;
/* ERR_MORE: no such user. Texts are copied into `a`. */
Err store_user_get(Store *s, Bytes name, Arena *a, StoreUser *ret) MUST_CHECK;
/* Everything but name, kind and how it came to be. */
Err store_user_update(Store *s, const StoreUser *user) MUST_CHECK;
Err store_user_remove(Store *s, Bytes name) MUST_CHECK;
Err store_user_each(Store *s, StoreUserFn *fn, void *ctx) MUST_CHECK;

Err store_verifier_add(Store *s, const StoreVerifier *v) MUST_CHECK;
/* Those of one user, or of all when `user` is empty; revoked ones included. */
Err store_verifier_each(Store *s, Bytes user, StoreVerifierFn *fn, void *ctx) MUST_CHECK;
/* By the keyed hash of a token. ERR_MORE: none. */
Err store_verifier_find(Store *s, const PackKey *lookup, Arena *a, StoreVerifier *ret) MUST_CHECK;
/* ERR_MORE: no such token, or revoked before. `text` is its id as shown ("t-…"). */
Err store_token_revoke(Store *s, Bytes text, uint64_t now_ns) MUST_CHECK;
/* Passwords of this user, removed: before another takes their place. */
Err store_password_remove(Store *s, Bytes user) MUST_CHECK;

Err store_group_add(Store *s, Bytes user, Bytes group) MUST_CHECK;
Err store_groups_clear(Store *s, Bytes user) MUST_CHECK;
/* As identities carry them: "local/clinical". Copied into `a`. */
Err store_groups(Store *s, Bytes user, Arena *a, StoreGroups *ret) MUST_CHECK;

#endif
