/* Names a session has given: prepared statements and portals (cursors among them).
 *
 * SQL-level PREPARE and wire-level Parse share one namespace, and so do DECLARE and Bind
 * (https://www.postgresql.org/docs/15/protocol-flow.html, extended query). A portal outlives
 * its statement. What is here is what the server has, or will have when it has answered.
 *
 * A name given by a message that is not answered yet is not `confirmed`. Messages behind it and
 * before the next Sync share its fate; behind that Sync, the server may have skipped it and still
 * hold an older text under the same name, so there nothing is looked up before the answer. */
#ifndef PROTO_PG_PG_NAMES_H
#define PROTO_PG_PG_NAMES_H

#include "base/map.h"
#include "proto/pg/pg_queue.h"

typedef struct PgStatement {
    Buf text;
    Buf types;        /* uint32_t each, host order: parameter types given in Parse; 0: not said */
    bool confirmed;   /* the server has said that it exists */
    uint64_t made_by; /* not confirmed: queue sequence number of its Parse */
    bool local;
    bool local_row;
    Buf local_column;
    Buf runs; /* a COPY TO the client: the query that the server has in its place */
    struct PgStatement *next_free;
} PgStatement;

enum { PG_NAMES_TEXT_MAX = 64 << 20 };

typedef struct PgNames {
    Map statements; /* PgStatement */
    Map portals;    /* PgRun, one reference each */
    PgStatement *free_statements;
    size_t text_bytes; /* of all that is named, at most PG_NAMES_TEXT_MAX */
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
/* The transaction ended with message `seq`: portals made up to there are gone, but for those WITH
 * HOLD that it or an earlier one `committed`. */
void pg_portals_end(PgNames *n, uint64_t seq, bool committed);

#endif
