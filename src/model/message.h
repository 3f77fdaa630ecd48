/* Words for people. One catalogue, one struct, one encoder for each protocol.
 *
 * One line must be enough: many drivers show only the primary message, so it alone says
 * that the gateway and not the database refused, the rule, the fact, the next step and
 * the id. Detail and hint only add. Never a value from the data. */
#ifndef MODEL_MESSAGE_H
#define MODEL_MESSAGE_H

#include "base/buf.h"

/* code, SQLSTATE, severity, situation, usual next step (may be empty) */
#define MESSAGES(X)                                                                                \
    X(3101, "42501", ERROR, "blocked by rule", "the same statement will be refused again")         \
    X(3102, "42501", ERROR, "role lacks access", "ask for a role that allows it")                  \
    X(3103, "42501", ERROR, "statement not understood",                                            \
      "what is not understood is not forwarded; rewrite the statement")                            \
    X(3104, "42501", ERROR, "setting may not be changed here",                                     \
      "send it alone, outside a transaction, with plain literals")                                 \
    X(3110, "01000", NOTICE, "masked", "")                                                         \
    X(3111, "42501", ERROR, "derived from a protected column",                                     \
      "select the column directly, it will be masked")                                             \
    X(3112, "42501", ERROR, "a mask would be written back",                                        \
      "leave the column out of the statement")                                                     \
    X(3113, "42501", ERROR, "protected column in a condition",                                     \
      "filter by a column that is not protected")                                                  \
    X(3201, "01000", NOTICE, "waiting for approval", "")                                           \
    X(3202, "42501", ERROR, "approval needed", "run the same statement again once it is approved") \
    X(3203, "42501", ERROR, "denied by a person", "")                                              \
    X(3204, "57014", ERROR, "nobody answered in time", "run it again to ask again")                \
    X(3205, "57014", ERROR, "request withdrawn", "")                                               \
    X(3206, "01000", NOTICE, "approved", "")                                                       \
    X(3301, "28P01", FATAL, "not signed in", "check user name, password or token")                 \
    X(3302, "57P01", FATAL, "session limit reached", "connect again")                              \
    X(3303, "57P01", FATAL, "session ended by security", "")                                       \
    X(3304, "28000", FATAL, "client certificate not accepted",                                     \
      "connect over TLS with a certificate of your own (sslcert, sslkey)")                         \
    X(3401, "42501", ERROR, "purpose missing", "set chaperone.purpose = 'treatment'")              \
    X(3402, "53400", ERROR, "budget used up", "")                                                  \
    X(5101, "57P03", FATAL, "target down", "try again later")                                      \
    X(5102, "08004", FATAL, "target refused the gateway's credential", "tell the administrator")   \
    X(5103, "08004", FATAL, "target is not what was configured", "tell the administrator")         \
    X(5201, "53100", FATAL, "recording not possible, nothing was run", "tell the administrator")   \
    X(5202, "XX000", ERROR, "masking failed, result withheld", "tell the administrator")           \
    X(5301, "53300", FATAL, "at capacity", "try again later")                                      \
    X(5302, "57P03", FATAL, "the gateway takes no new sessions",                                   \
      "connect to another one, or again later")                                                    \
    X(5401, "08P01", FATAL, "protocol violation", "")                                              \
    X(5501, "0A000", ERROR, "unsupported through the gateway", "")                                 \
    X(5502, "34000", ERROR, "no such cursor or portal", "")                                        \
    X(5503, "26000", ERROR, "no such prepared statement", "prepare it again")

typedef enum MessageCode {
    CHP_NONE = 0,
#define MESSAGE_ENUM(code, state, severity, title, next) CHP_##code = code,
    MESSAGES(MESSAGE_ENUM)
#undef MESSAGE_ENUM
} MessageCode;

typedef enum Severity { SEVERITY_NOTICE, SEVERITY_ERROR, SEVERITY_FATAL } Severity;

typedef struct MessageEntry {
    MessageCode code;
    const char *sqlstate;
    Severity severity;
    const char *title, *next;
} MessageEntry;

/* What there is to say about one event. Empty parts are left out. */
typedef struct Fault {
    MessageCode code;
    Bytes rule; /* name of the rule that spoke */
    Bytes fact; /* "DELETE without WHERE on encounter"; empty: the catalogue's title */
    Bytes next; /* what would work; empty: the catalogue's */
    Bytes detail, hint;
    uint32_t position; /* 1-based character in the text, for the caret; 0: none */
} Fault;

const MessageEntry *message_entry(MessageCode code); /* NULL: no such code */
/* Refusals: "chaperone refused (rule R, d-…): FACT; NEXT". Errors of the gateway:
 * "chaperone: FACT (CHP-5201, d-…); NEXT". Notices: FACT alone. `id` may be empty. */
Err message_primary(const Fault *fault, Bytes id, Buf *out) MUST_CHECK;

#endif
