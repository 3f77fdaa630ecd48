/* Every message of every phase, one table for each side, closed by default.
 *
 * https://www.postgresql.org/docs/15/protocol-flow.html */
#ifndef PROTO_PG_PG_TABLE_H
#define PROTO_PG_PG_TABLE_H

#include "proto/pg/pg.h"

typedef enum PgClientAct {
    CLIENT_VIOLATION = 0, /* ends the connection */
    CLIENT_QUERY,
    CLIENT_PARSE,
    CLIENT_BIND,
    CLIENT_DESCRIBE,
    CLIENT_EXECUTE,
    CLIENT_CLOSE,
    CLIENT_SYNC,
    CLIENT_FLUSH,
    CLIENT_TERMINATE,
    CLIENT_CALL, /* FunctionCall: refused, no text to judge */
    CLIENT_COPY_DATA,
    CLIENT_COPY_END, /* CopyDone, CopyFail */
    CLIENT_DROP,     /* the server would ignore it; so do we */
} PgClientAct;

typedef enum PgServerAct {
    SERVER_VIOLATION = 0, /* ends the session: the target's answer cannot be trusted */
    SERVER_STEP,          /* the entry's message; more follows for the same entry */
    SERVER_DONE,          /* the entry's last message: pop */
    SERVER_SHAPE,         /* RowDescription */
    SERVER_ROW,
    SERVER_COMPLETE,
    SERVER_COPY_IN, /* CopyInResponse */
    SERVER_ERROR,
    SERVER_READY,
} PgServerAct;

PgClientAct pg_client_act(PgPhase phase, uint8_t tag);
PgServerAct pg_server_act(PgExpect expect, uint8_t tag);

#endif
