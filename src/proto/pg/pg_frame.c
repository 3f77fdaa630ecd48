#include "proto/pg/pg_frame.h"

#include "base/reader.h"

enum {
    LENGTH_SIZE = 4, /* the length counts itself, but not the tag */
    TAG_SIZE = 1,
};

Err pg_frame_next(Bytes in, PgFraming framing, size_t limit, PgFrame *ret)
{
    const size_t before_length = framing == PG_TAGGED ? TAG_SIZE : 0;
    const size_t header = before_length + LENGTH_SIZE;

    *ret = (PgFrame){ .size = header };
    if (in.len < header)
        return ERR_MORE;

    Reader r = reader_of(bytes_from(in, before_length));
    uint32_t length;
    TRY(reader_u32(&r, &length));
    if (length < LENGTH_SIZE)
        return ERR_MALFORMED;
    if (length > limit)
        return ERR_LIMIT;

    ret->size = before_length + length;
    if (in.len < ret->size)
        return ERR_MORE;

    ret->tag = framing == PG_TAGGED ? in.ptr[0] : 0;
    ret->whole = bytes_upto(in, ret->size);
    ret->body = bytes_from(ret->whole, header);
    return OK;
}
