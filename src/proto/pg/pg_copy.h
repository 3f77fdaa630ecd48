/* COPY … TO STDOUT: the rows of the query that runs in its place, as the client asked for them.
 *
 * The target never runs the COPY, so every row has a RowDescription of its own portal, and is
 * masked by it like any other (docs/decisions, "COPY runs as a query").
 * https://www.postgresql.org/docs/15/sql-copy.html, "File Formats"; CopyOneRowTo() of copyto.c. */
#ifndef PROTO_PG_PG_COPY_H
#define PROTO_PG_PG_COPY_H

#include "proto/pg/pg_queue.h"

/* The one statement of `judged` when it is a COPY TO the client, or NULL. */
const Statement *pg_copy_out(const Judged *judged);
/* The same of a COPY FROM the client (pg_copy_in.h). */
const Statement *pg_copy_in(const Judged *judged);

/* What stands before the first row; `names` are those of run->shape's columns. */
Err pg_copy_head(PgRun *run, const Bytes *names, size_t count) MUST_CHECK;
/* `row` is the body of a DataRow, masked already. */
Err pg_copy_row(PgRun *run, Bytes row, Buf *out) MUST_CHECK;
/* CopyDone, and before it what stands behind the last row. */
Err pg_copy_end(PgRun *run, Buf *out) MUST_CHECK;

#endif
