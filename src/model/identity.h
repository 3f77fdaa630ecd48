/* Who is asking. Fixed at sign-in; views borrow from the session's arena. */
#ifndef MODEL_IDENTITY_H
#define MODEL_IDENTITY_H

#include "base/base.h"

typedef enum IdentityKind {
    IDENTITY_NOBODY = 0, /* refused everywhere */
    IDENTITY_HUMAN,
    IDENTITY_AGENT,
    IDENTITY_SERVICE,
} IdentityKind;

typedef struct Identity {
    IdentityKind kind;
    Bytes name;          /* "dana", "ai-triage" */
    Bytes owner;         /* of an agent or service: the person who answers for it */
    const Bytes *groups; /* "local/clinical", "okta/privacy" */
    size_t group_count;
    bool by_token; /* signed in with a token, not a password */
} Identity;

/* "human", "agent", "service"; "nobody" for anything else. */
const char *identity_kind_name(IdentityKind kind);
/* Does `member` ("user:dana", "agent:ai-triage", "service:etl", "group:local/clinical") name this
 * identity? */
bool identity_is(const Identity *who, Bytes member);
bool identity_in_group(const Identity *who, Bytes group);

#endif
