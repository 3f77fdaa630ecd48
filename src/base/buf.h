/* A bounded byte queue: append at the back, consume at the front.
 *
 *     mem          start               end            cap <= max
 *      |  consumed   |      view        |    room      |
 *
 * Owns its memory. Growth stops at `max`, so a peer cannot make us buy memory
 * on its behalf. A view from buf_view() dies at the next call that is not const. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/base.h"

#include <string.h>

typedef struct Buf {
    uint8_t *mem;
    size_t cap, start, end, max;
    size_t dirty; /* bytes from `mem` that may hold something besides what is in use now */
} Buf;

void buf_init(Buf *b, size_t max);
void buf_done(
    Buf *b); /* wipes what was used, then frees; safe on a zeroed Buf, which then holds nothing */
static inline Err buf_append(Buf *b, Bytes data) MUST_CHECK;
static inline Err buf_byte(Buf *b, uint8_t byte) MUST_CHECK;
/* Appends `count` zero bytes. */
Err buf_zeros(Buf *b, size_t count) MUST_CHECK;
/* Big-endian integers, as on every wire we speak. */
Err buf_u16(Buf *b, uint16_t v) MUST_CHECK;
Err buf_u32(Buf *b, uint32_t v) MUST_CHECK;
Err buf_u64(Buf *b, uint64_t v) MUST_CHECK;
void buf_consume(Buf *b, size_t len);
static inline Bytes buf_view(const Buf *b);
static inline size_t buf_len(const Buf *b);

/* Room for at least `len` more bytes behind the end, for a read() to fill; then
 * say with buf_filled how many came. */
static inline Err buf_room(Buf *b, size_t len, uint8_t **ret_room, size_t *ret_size) MUST_CHECK;
static inline void buf_filled(Buf *b, size_t len);
/* The same for who writes what came and no more: the rest of the room stays untouched, and is not
 * made memory by wiping it. */
static inline Err buf_room_to_read(Buf *b, size_t len, uint8_t **ret_room,
                                   size_t *ret_size) MUST_CHECK;

/* Forget what was appended since buf_len() was `len`; used to undo half a message. */
void buf_truncate(Buf *b, size_t len);
/* Overwrite bytes already appended, `at` counted from the start of the view. */
void buf_patch(Buf *b, size_t at, Bytes data);
/* Empty, keep `max`, wipe and give the memory back. */
void buf_release(Buf *b);

/* --- the short way: every message is made of many small pieces -------------------------- */

/* Slides or grows; buf_append() when there is no room as it is. */
Err buf_append_slowly(Buf *b, Bytes data) MUST_CHECK;
Err buf_room_slowly(Buf *b, size_t len, uint8_t **ret_room, size_t *ret_size) MUST_CHECK;

static inline Err buf_append(Buf *b, Bytes data)
{
    if (data.len == 0)
        return OK;
    if (data.len > b->cap - b->end) /* cap never exceeds max */
        return buf_append_slowly(b, data);
    memcpy(b->mem + b->end, data.ptr, data.len);
    b->end += data.len;
    return OK;
}

static inline Err buf_byte(Buf *b, uint8_t byte)
{
    return buf_append(b, (Bytes){ &byte, 1 });
}

static inline Err buf_room_to_read(Buf *b, size_t len, uint8_t **ret_room, size_t *ret_size)
{
    if (len == 0 || len > b->cap - b->end)
        return buf_room_slowly(b, len, ret_room, ret_size);
    *ret_room = b->mem + b->end;
    *ret_size = b->cap - b->end;
    return OK;
}

static inline Err buf_room(Buf *b, size_t len, uint8_t **ret_room, size_t *ret_size)
{
    TRY(buf_room_to_read(b, len, ret_room, ret_size));
    b->dirty = b->cap;
    return OK;
}

static inline void buf_filled(Buf *b, size_t len)
{
    assert(len <= b->cap - b->end);
    b->end += len;
}

static inline Bytes buf_view(const Buf *b)
{
    if (b->start == b->end)
        return (Bytes){ 0 }; /* NULL + 0 is undefined in C17 */
    return (Bytes){ b->mem + b->start, b->end - b->start };
}

static inline size_t buf_len(const Buf *b)
{
    return b->end - b->start;
}

#endif
