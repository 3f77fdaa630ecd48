/* A result that may not leave, or not go on (pg_stop), ends its statement, not the session.
 *
 *                     ┌─ ReadyForQuery is due ──▶ TO_READY ─── I ──▶ our error, ReadyForQuery
 *     row or shape ───┤                              └──────── T ──▶ a message that must fail; its
 *     is withheld     │                                              error becomes ours
 *                     └─ no Sync was sent yet ──▶ TO_STAND_IN ─────▶ the same, at once
 *
 * What the server still says of it is read and dropped. The client sees an error, so the server's
 * transaction has to have failed too. Where that cannot be had (it has committed already), the
 * session ends, as it would with a connection that was lost: ERR_REFUSED. */
#ifndef PROTO_PG_PG_WITHHOLD_H
#define PROTO_PG_PG_WITHHOLD_H

#include "proto/pg/pg.h"

extern const Fault PG_ROW_TOO_LONG, PG_ROW_UNMASKABLE, PG_SHAPE_DISAGREES;
/* pg->why, where the session has to end. */
extern const Fault PG_PAST_UNDOING;

/* From the entry at the head on, nothing leaves. `why` stays until that has ended. */
Err pg_withhold(Pg *pg, Wire *wire, const Fault *why) MUST_CHECK;
/* The run's statement has completed on the server. */
Err pg_withhold_ran(Pg *pg, const PgRun *run) MUST_CHECK;
/* Something was done that the client must not take for undone. */
Err pg_withhold_ends(Pg *pg) MUST_CHECK;
/* The server's own error stands for ours. */
Err pg_withhold_failed(Pg *pg, Wire *wire) MUST_CHECK;
/* TO_READY: `ready` is the server's ReadyForQuery, of which pg->status is told. */
Err pg_withhold_ready(Pg *pg, Wire *wire, Bytes ready) MUST_CHECK;

#endif
