/* A cursor over borrowed bytes: the only way a parser may move through its input.
 *
 * Every read is checked; past the end is ERR_MALFORMED, because a Reader is given
 * whole messages only. Views it returns borrow from the input. */
#ifndef BASE_READER_H
#define BASE_READER_H

#include "base/base.h"

typedef struct Reader {
    Bytes rest;
} Reader;

static inline Reader reader_of(Bytes b)
{
    return (Reader){ b };
}

static inline bool reader_at_end(const Reader *r)
{
    return r->rest.len == 0;
}

static inline MUST_CHECK Err reader_bytes(Reader *r, size_t len, Bytes *ret)
{
    if (len > r->rest.len)
        return ERR_MALFORMED;
    *ret = bytes_upto(r->rest, len);
    r->rest = bytes_from(r->rest, len);
    return OK;
}

static inline MUST_CHECK Err reader_u8(Reader *r, uint8_t *ret)
{
    Bytes b;

    TRY(reader_bytes(r, 1, &b));
    *ret = b.ptr[0];
    return OK;
}

static inline MUST_CHECK Err reader_u16(Reader *r, uint16_t *ret)
{
    Bytes b;

    TRY(reader_bytes(r, 2, &b));
    *ret = (uint16_t)(b.ptr[0] << 8 | b.ptr[1]);
    return OK;
}

static inline MUST_CHECK Err reader_u32(Reader *r, uint32_t *ret)
{
    Bytes b;

    TRY(reader_bytes(r, 4, &b));
    *ret = (uint32_t)b.ptr[0] << 24 | (uint32_t)b.ptr[1] << 16 | (uint32_t)b.ptr[2] << 8 | b.ptr[3];
    return OK;
}

static inline MUST_CHECK Err reader_u64(Reader *r, uint64_t *ret)
{
    uint32_t high, low;

    TRY(reader_u32(r, &high));
    TRY(reader_u32(r, &low));
    *ret = (uint64_t)high << 32 | low;
    return OK;
}

/* Up to the next NUL, which is consumed and not part of *ret. */
Err reader_string(Reader *r, Bytes *ret) MUST_CHECK;

#endif
