/* Names a session has given: prepared statements and portals (cursors among them).
 *
 * SQL-level PREPARE and wire-level Parse share one namespace, and so do DECLARE and Bind
 * (https://www.postgresql.org/docs/15/protocol-flow.html, extended query). A portal outlives
 * its statement. What is here is what the server has, or will have when it has answered. */
#ifndef PROTO_PG_PG_NAMES_H
#define PROTO_PG_PG_NAMES_H

#include "base/map.h"
#include "proto/pg/pg_queue.h"

typedef struct PgStatement {
    Buf text;
    Buf types; /* uint32_t each, host order: parameter types given in Parse; 0: not said */
    bool local;
    bool local_row;
    Buf local_column;
    struct PgStatement *next_free;
} PgStatement;

typedef struct PgNames {
    Map statements; /* PgStatement */
    Map portals;    /* PgRun, one reference each */
    PgStatement *free_statements;
    PgQueue *queue;
} PgNames;

void pg_names_init(PgNames *n, PgQueue *queue, SipKey hash_key);
void pg_names_done(PgNames *n);

PgStatement *pg_statement(const PgNames *n, Bytes name); /* NULL: none */
/* Makes or replaces. */
Err pg_statement_put(PgNames *n, Bytes name, Bytes text, PgStatement **ret) MUST_CHECK;
void pg_statement_remove(PgNames *n, Bytes name);
void pg_statements_clear(PgNames *n);

PgRun *pg_portal(const PgNames *n, Bytes name); /* NULL: none */
/* Makes or replaces; keeps `run`. */
Err pg_portal_put(PgNames *n, Bytes name, PgRun *run) MUST_CHECK;
void pg_portal_remove(PgNames *n, Bytes name);
void pg_portals_clear(PgNames *n);
/* The transaction ended: portals bound before `seq` on the wire are gone. */
void pg_portals_end(PgNames *n, uint64_t seq);

#endif
