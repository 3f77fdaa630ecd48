/* Rows: the shape the server announced, and each row of it with its masks applied. */
#ifndef PROTO_PG_PG_ROWS_H
#define PROTO_PG_PG_ROWS_H

#include "proto/pg/pg.h"

/* RowDescription: plans its masks. With `keep` they become run->shape, for the rows to come.
 * The message goes to `out`, typmod -1 where a mask may not fit; ERR_REFUSED: nothing of it may
 * leave. */
Err pg_rows_shape(Pg *pg, PgRun *run, bool keep, Bytes body, Buf *out) MUST_CHECK;

/* DataRow, masked by run->shape. ERR_MALFORMED: no shape, or another count of columns.
 * ERR_REFUSED: a value has no lawful mask. On error `out` is as it was. */
Err pg_rows_row(Pg *pg, PgRun *run, Bytes body, Buf *out) MUST_CHECK;

#endif
