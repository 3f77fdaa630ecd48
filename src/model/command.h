/* What a client asked for, verbatim. Every protocol fills the same struct.
 *
 * Views borrow from the message being decoded: copy what must outlive it. */
#ifndef MODEL_COMMAND_H
#define MODEL_COMMAND_H

#include "base/base.h"
#include "model/message.h"

typedef enum CommandKind {
    COMMAND_STATEMENT, /* text to run now: PostgreSQL Query, a whole batch */
    COMMAND_PREPARE,   /* text to keep under a name, nothing runs: Parse */
    COMMAND_RUN,       /* kept text with bound values, about to run: Bind */
    COMMAND_RESUME,    /* more rows of something that was allowed to run: Execute again */
} CommandKind;

typedef struct Value {
    Bytes bytes;
    bool is_null;
    bool binary;       /* the protocol's binary format of type_oid, else text */
    uint32_t type_oid; /* 0: not said */
} Value;

typedef struct Command {
    CommandKind kind;
    Bytes text;
    Bytes name; /* of the prepared statement, portal or cursor; empty: the unnamed one */
    const Value *values;
    size_t value_count;
    const uint16_t *result_formats; /* as sent: none, one for all, or one a column */
    size_t result_format_count;
    /* Not NULL: the message cannot be passed, whatever policy says; why, for people. */
    const char *unsupported;
    MessageCode code; /* of that refusal; CHP_NONE: the general one */
} Command;

#endif
