/* PostgreSQL v3 framing: where one message ends and the next begins.
 *
 * https://www.postgresql.org/docs/15/protocol-message-formats.html
 * Pure: same bytes in, same answer out. Knows nothing of sockets or sessions. */
#ifndef PROTO_PG_PG_FRAME_H
#define PROTO_PG_PG_FRAME_H

#include "base/base.h"

typedef enum PgFraming {
    PG_UNTAGGED, /* startup: length, body */
    PG_TAGGED,   /* tag, length, body */
} PgFraming;

typedef struct PgFrame {
    uint8_t tag; /* 0 when PG_UNTAGGED */
    Bytes body;  /* borrowed from the input */
    Bytes whole; /* header included */
    size_t size; /* of the whole message: consume this much */
} PgFrame;

/* OK: *ret is one whole message at the front of `in`.
 * ERR_MORE: ret->size is how many bytes are needed before asking again.
 * ERR_MALFORMED, ERR_LIMIT (longer than `limit`): this stream cannot be trusted any further. */
Err pg_frame_next(Bytes in, PgFraming framing, size_t limit, PgFrame *ret) MUST_CHECK;

#endif
