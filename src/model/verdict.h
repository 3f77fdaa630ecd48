/* What policy decided about one command. Plain data: no verdict can fail. */
#ifndef MODEL_VERDICT_H
#define MODEL_VERDICT_H

#include "base/base.h"
#include "model/message.h"

typedef enum Ruling {
    RULING_DENY = 0, /* zero on purpose: a forgotten Verdict denies */
    RULING_HOLD,     /* another person must answer first */
    RULING_ALLOW,
} Ruling;

/* The order of evaluation, as `explain` prints it. Whatever ends it is what spoke; zero is what
 * the gate itself refuses: how a message is put together. */
#define EVALUATION_STEPS(X)                                                                        \
    X(MESSAGE, "message")                                                                          \
    X(IDENTITY, "identity")                                                                        \
    X(UNDERSTOOD, "understood")                                                                    \
    X(ACCESS, "role allow")                                                                        \
    X(SUPPORTED, "supported")                                                                      \
    X(GUARDRAIL, "guardrail")                                                                      \
    X(SETTING, "settings")                                                                         \
    X(COLUMN, "columns")                                                                           \
    X(VALUE, "values")                                                                             \
    X(PURPOSE, "purpose")                                                                          \
    X(APPROVAL, "approval")                                                                        \
    X(RUN, "run")                                                                                  \
    X(MASK, "mask")                                                                                \
    X(RECORD, "record")

typedef enum EvaluationStep {
#define EVALUATION_ENUM(name, text) EVALUATION_##name,
    EVALUATION_STEPS(EVALUATION_ENUM)
#undef EVALUATION_ENUM
} EvaluationStep;

const char *ruling_name(Ruling ruling); /* "deny", "hold", "allow" */

/* What a hold asks for; from the approval rule that matched. */
typedef struct HoldTerms {
    Bytes group;              /* who may answer: "privacy-office" */
    uint32_t count;           /* how many distinct people */
    uint64_t hold_ms;         /* how long a person's session waits */
    uint64_t valid_ms;        /* how long an approval may be used once given */
    bool ticket;              /* the caller does not wait to the end: CHP-3202 with a request id */
    uint64_t ticket_after_ms; /* but that long; 0: not at all */
} HoldTerms;

typedef struct Verdict {
    Ruling ruling;
    Bytes rule;  /* that spoke; ALLOW: the role's name */
    Fault fault; /* DENY: what to say. HOLD: fact only, for the approver */
    HoldTerms hold;
    EvaluationStep step; /* that spoke; ALLOW: EVALUATION_RUN */
} Verdict;

#endif
