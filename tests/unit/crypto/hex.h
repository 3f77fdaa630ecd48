/* Published vectors come in hex. */
#ifndef TEST_HEX_H
#define TEST_HEX_H

#include "base/encode.h"
#include "base/text.h"
#include "test.h"

typedef struct Raw {
    uint8_t mem[512];
    Bytes bytes;
} Raw;

/* Into `raw`, whose view is valid as long as it is. */
static inline Bytes unhex(const char *hex, Raw *raw)
{
    Buf out;

    buf_init(&out, sizeof raw->mem);
    EXPECT(hex_decode(text_of(hex), &out) == OK);
    const Bytes view = buf_view(&out);
    for (size_t i = 0; i < view.len; i++)
        raw->mem[i] = view.ptr[i];
    raw->bytes = (Bytes){ raw->mem, view.len };
    buf_done(&out);
    return raw->bytes;
}

static inline bool is_hex(Bytes bytes, const char *hex)
{
    Raw raw;

    return text_eq(bytes, unhex(hex, &raw));
}

#endif
