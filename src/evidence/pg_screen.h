/* What a PostgreSQL client saw: recorded server messages become tables as psql draws them.
 *
 * Reads what was recorded, which was judged and masked before; still nothing in it is trusted.
 * https://www.postgresql.org/docs/15/protocol-message-formats.html */
#ifndef EVIDENCE_PG_SCREEN_H
#define EVIDENCE_PG_SCREEN_H

#include "base/arena.h"
#include "base/buf.h"

enum { SCREEN_COLUMNS_MAX = 1664, SCREEN_ROWS_MAX = 1000 };

typedef struct PgScreen {
    Buf wire;        /* what is not a whole message yet */
    Arena arena;     /* of the description */
    Arena row_arena; /* of the rows being collected */
    Bytes *names;
    bool *binary;
    size_t columns;
    Bytes **rows; /* cells as shown */
    size_t row_count, total;
} PgScreen;

Err pg_screen_init(PgScreen *s) MUST_CHECK;
void pg_screen_done(PgScreen *s);
/* Takes recorded bytes; appends what can be shown. ERR_MALFORMED: these are no messages. */
Err pg_screen_feed(PgScreen *s, Bytes wire, Buf *out) MUST_CHECK;
/* The response has ended: shows what is collected. */
Err pg_screen_flush(PgScreen *s, Buf *out) MUST_CHECK;

#endif
