/* What the gateway asks a target's server about itself before anybody may use the connection: which
 * backend of which server of which cluster this is. One row of text columns. */
#ifndef PROTO_PG_PG_BACKEND_H
#define PROTO_PG_PG_BACKEND_H

#include "base/arena.h"

typedef struct PgBackend {
    uint32_t pid;     /* pg_backend_pid() */
    bool in_recovery; /* a standby */
    bool read_only;   /* transactions are, unless they say otherwise: a standby's always */
    /* System identifier and OID of the database, "7123…/16384". OIDs of relations, on which masks
     * rest, mean the same wherever this is the same. */
    Bytes cluster;
    Bytes mark; /* PG_BACKEND_MARK of this backend; empty: not set */
} PgBackend;

/* A setting that lives as long as the server's session does: whoever finds one there that he did
 * not set has another one's session. Callers cannot set it: chaperone.* stays at the gateway. */
#define PG_BACKEND_MARK "chaperone.connection"

extern const char PG_BACKEND_QUERY[];
/* `row`: the body of its DataRow. ERR_MALFORMED: not an answer to that query. */
Err pg_backend_read(Bytes row, Arena *arena, PgBackend *ret) MUST_CHECK;

#endif
