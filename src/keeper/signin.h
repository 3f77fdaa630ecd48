/* Sign-in: SCRAM-SHA-256, the server's half. Verifiers stay here; a worker gets messages to
 * pass on, and at the end an identity and the keys of the session's records.
 *
 * A user that does not exist, is disabled or has expired gets the same messages after the
 * same work, with a salt that is always the same for that name, and never succeeds. */
#ifndef KEEPER_SIGNIN_H
#define KEEPER_SIGNIN_H

#include "base/arena.h"
#include "crypto/scram.h"
#include "model/ask.h"

enum {
    SIGNINS_MAX = 1024,              /* begun and not proved yet */
    ATTEMPT_SLOTS = 4096,            /* failures remembered */
    ATTEMPTS_FREE = 10,              /* in a minute, for one name from one address */
    USER_ROUNDS = 100000,            /* passwords that people choose */
    AGENT_ROUNDS = SCRAM_ROUNDS_MIN, /* tokens of 160 random bits */
};

typedef struct Signin {
    Id session, writer;
    uint64_t begun_mono_ns;
    bool plus;   /* its proof is bound to our certificate */
    Arena arena; /* of the texts */
    Bytes user, resource, peer, client_first_bare, server_first;
    uint64_t epoch; /* by whose rules the client's certificate is judged */
    bool certified; /* it holds, and is the user's */
    Bytes certificate_subject, certificate_sha256; /* hex; empty: none was shown, or asked for */
} Signin;

typedef struct Attempts {
    uint64_t who; /* keyed hash of name and address */
    uint64_t since_mono_ns;
    uint32_t failed;
} Attempts;

typedef struct Signins {
    Signin open[SIGNINS_MAX]; /* a zero session id: free */
    Attempts attempts[ATTEMPT_SLOTS];
    uint8_t hash_key[16];
} Signins;

struct Keeper;

void signins_done(Signins *s);
/* Failures of one name from one address ("10.0.0.7:5432", the port does not count). */
bool signin_is_limited(struct Keeper *k, Bytes user, Bytes peer);
void signin_count_failure(struct Keeper *k, Bytes user, Bytes peer);
/* Views live in `a`. ret->refused: it ends here, and that is recorded. ERR_MALFORMED: the question
 * breaks SCRAM; ERR_LIMIT: too many are open. */
Err signin_begin(struct Keeper *k, const Id *writer, const SigninBegin *ask, Arena *a,
                 SigninBeginAnswer *ret) MUST_CHECK;
/* Always answers with the same shape; ret->ok says. Whoever was right is told if it was refused.
 * The record is on disk before it says yes. */
Err signin_prove(struct Keeper *k, const Id *writer, const SigninProve *ask, Arena *a,
                 SigninProveAnswer *ret) MUST_CHECK;

#endif
