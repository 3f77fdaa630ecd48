/* The fields of COPY data, decoded, one by one, from pieces of any size.
 *
 * Reads what COPY FROM would read, to see its values; what goes on to the target is the client's
 * own bytes. https://www.postgresql.org/docs/15/sql-copy.html, "File Formats";
 * CopyReadAttributes…() and CopyReadLineText() of copyfromparse.c. Holds one field, at most
 * LIMIT_CLIENT_MESSAGE. */
#ifndef PROTO_PG_PG_COPY_READ_H
#define PROTO_PG_PG_COPY_READ_H

#include "base/buf.h"
#include "model/command.h"
#include "model/copy.h"

typedef enum CopyAt {
    COPY_AT_PLAIN = 0,
    COPY_AT_ESCAPE,    /* text: behind a backslash */
    COPY_AT_OCTAL,     /* text: behind \1, \12 */
    COPY_AT_HEX,       /* text: behind \x */
    COPY_AT_HEX_DIGIT, /* text: behind \x4 */
    COPY_AT_QUOTED,    /* CSV */
    COPY_AT_QUOTE, /* CSV: in quotes, behind the escape, which may be the quote that ends them */
    COPY_AT_HEAD,  /* binary: signature, flags, length of the extension */
    COPY_AT_EXTENSION,
    COPY_AT_COUNT,  /* of fields */
    COPY_AT_LENGTH, /* of a field */
    COPY_AT_VALUE,
    COPY_AT_END, /* binary: behind the trailer */
} CopyAt;

typedef struct PgCopyRead {
    const CopyForm *form;
    CopyAt at;
    uint8_t code;   /* COPY_AT_OCTAL, _HEX_DIGIT: so far */
    uint8_t digits; /* COPY_AT_OCTAL: how many */
    bool done;      /* `field` was given out: the next one begins */
    size_t need;    /* binary: bytes of the part at hand */
    size_t column, columns;
    Buf field;
} PgCopyRead;

void pg_copy_read_init(PgCopyRead *c, const CopyForm *form);
void pg_copy_read_done(PgCopyRead *c);

/* OK: *ret is a field, its bytes are here until the next call. ERR_MORE: *data is used up.
 * ERR_MALFORMED: not such data (binary only). ERR_LIMIT: a longer field than can be looked at. */
Err pg_copy_read_next(PgCopyRead *c, Bytes *data, Value *ret) MUST_CHECK;
/* At CopyDone: true when there is a last field, which no line break ended. */
bool pg_copy_read_end(PgCopyRead *c, Value *ret);

#endif
