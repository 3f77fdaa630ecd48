/* One prepared statement in use. Private to store/.
 *
 * Statements are prepared once, by the address of their text, so a text is a static constant.
 * The first failure sticks. Views of columns die at the next query_next() or query_end(). */
#ifndef STORE_QUERY_H
#define STORE_QUERY_H

#include "model/pack.h"
#include "store/store.h"

typedef struct Query {
    Store *store;
    struct sqlite3_stmt *stmt;
    int bound;  /* parameters so far */
    int column; /* read so far of this row */
    Err err;
} Query;

Query query_begin(Store *s, const char *sql);
void query_text(Query *q, Bytes v);
void query_blob(Query *q, Bytes v);
void query_u64(Query *q, uint64_t v);
/* True: a row is there. False: the end, or a failure. */
bool query_next(Query *q);
/* Runs what is left, gives the statement back. ERR_REFUSED: a constraint said no. */
Err query_end(Query *q) MUST_CHECK;
/* For statements without rows. */
Err query_run(Query *q) MUST_CHECK;
/* The same; *ret_changed is how many rows were changed. */
Err query_changed(Query *q, uint64_t *ret_changed) MUST_CHECK;

/* The next column of this row. NULL reads as empty or 0. */
Bytes query_take(Query *q);
uint64_t query_take_u64(Query *q);
Id query_take_id(Query *q);
PackKey query_take_key(Query *q);

#endif
