/* COPY … FROM STDIN: the client's data, looked at on its way to the target.
 *
 *     TALKING ── COPY is sent ──▶ COPY_STARTING ── CopyInResponse ──▶ COPYING ──┬─ CopyDone ──▶
 * TALKING │ nothing is read                       ├─ CopyFail, or we say it └──────────── error
 * ────────────────────┴─▶ TALKING, or SKIPPING to the Sync
 *
 * https://www.postgresql.org/docs/15/protocol-flow.html, "COPY Operations". A message is
 * written down, then sent; one that may not go on fails the whole COPY on the target. */
#ifndef PROTO_PG_PG_COPY_IN_H
#define PROTO_PG_PG_COPY_IN_H

#include "proto/pg/pg.h"
#include "proto/pg/pg_frame.h"

extern const Fault PG_COPY_MASK, PG_COPY_UNREADABLE, PG_COPY_TOO_LONG, PG_COPY_DISAGREES;

/* The entry at the tail is a COPY FROM that was just sent. */
void pg_copy_sent(Pg *pg, const PgRun *run);
/* Is it the one whose data is being sent, or awaited? */
bool pg_copy_is_open(const Pg *pg, const PgAwaited *e);
/* CopyInResponse. */
Err pg_copy_begins(Pg *pg, Wire *wire, PgAwaited *e, const PgFrame *frame) MUST_CHECK;
Err pg_copy_data(Pg *pg, Wire *wire, const PgFrame *frame) MUST_CHECK;
/* CopyDone or CopyFail. */
Err pg_copy_ends(Pg *pg, Wire *wire, const PgFrame *frame) MUST_CHECK;
/* COPYING: the target is told to fail it; its error is replaced by the fault. */
Err pg_copy_refuse(Pg *pg, Wire *wire, const Fault *fault, Bytes id) MUST_CHECK;
/* Writes down what was forwarded since the last time. */
Err pg_copy_write_down(Pg *pg) MUST_CHECK;

#endif
