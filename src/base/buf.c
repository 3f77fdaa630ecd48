#include "base/buf.h"

#include <stdlib.h>
#include <string.h>

enum { BUF_FIRST = 512 };

void buf_init(Buf *b, size_t max)
{
    *b = (Buf){ .max = max };
}

/* `end` is about to go back. */
static void soil(Buf *b)
{
    if (b->end > b->dirty)
        b->dirty = b->end;
}

/* Room for a large read is mostly never touched; to wipe it would make it memory. */
void buf_done(Buf *b)
{
    soil(b);
    if (b->mem != NULL)
        explicit_bzero(b->mem, b->dirty);
    free(b->mem);
    *b = (Buf){ 0 };
}

void buf_consume(Buf *b, size_t len)
{
    assert(len <= b->end - b->start);
    b->start += len;
    if (b->start == b->end) {
        soil(b);
        b->start = b->end = 0;
    }
}

/* Make room for `len` more bytes behind `end`: slide first, grow second.
 * The old block is wiped because it may have held a patient's name. */
static Err buf_make_room(Buf *b, size_t len)
{
    const size_t held = b->end - b->start;

    if (len > b->max - held)
        return ERR_LIMIT;
    if (len <= b->cap - b->end)
        return OK;

    if (len <= b->cap - held) {
        soil(b);
        memmove(b->mem, b->mem + b->start, held);
        b->start = 0;
        b->end = held;
        return OK;
    }

    size_t cap = b->cap > 0 ? b->cap : BUF_FIRST;
    while (cap < held + len && cap <= b->max / 2)
        cap *= 2;
    if (cap < held + len || cap > b->max)
        cap = b->max;

    uint8_t *mem = malloc(cap);
    if (mem == NULL)
        return ERR_LIMIT;
    if (held > 0)
        memcpy(mem, b->mem + b->start, held);

    const size_t max = b->max;
    buf_done(b);
    *b = (Buf){ .mem = mem, .cap = cap, .end = held, .max = max };
    return OK;
}

Err buf_append_slowly(Buf *b, Bytes data)
{
    TRY(buf_make_room(b, data.len));
    memcpy(b->mem + b->end, data.ptr, data.len);
    b->end += data.len;
    return OK;
}

Err buf_zeros(Buf *b, size_t count)
{
    if (count == 0)
        return OK;
    TRY(buf_make_room(b, count));
    memset(b->mem + b->end, 0, count);
    b->end += count;
    return OK;
}

Err buf_u16(Buf *b, uint16_t v)
{
    const uint8_t raw[] = { (uint8_t)(v >> 8), (uint8_t)v };
    return buf_append(b, VIEW(raw));
}

Err buf_u32(Buf *b, uint32_t v)
{
    const uint8_t raw[] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };
    return buf_append(b, VIEW(raw));
}

Err buf_u64(Buf *b, uint64_t v)
{
    TRY(buf_u32(b, (uint32_t)(v >> 32)));
    return buf_u32(b, (uint32_t)v);
}

Err buf_room_slowly(Buf *b, size_t len, uint8_t **ret_room, size_t *ret_size)
{
    TRY(buf_make_room(b, len));
    *ret_room = b->mem + b->end;
    *ret_size = b->cap - b->end;
    return OK;
}

void buf_truncate(Buf *b, size_t len)
{
    assert(len <= b->end - b->start);
    soil(b);
    b->end = b->start + len;
}

void buf_patch(Buf *b, size_t at, Bytes data)
{
    assert(at <= buf_len(b) && data.len <= buf_len(b) - at);
    if (data.len > 0)
        memcpy(b->mem + b->start + at, data.ptr, data.len);
}

void buf_release(Buf *b)
{
    const size_t max = b->max;

    buf_done(b);
    b->max = max;
}
