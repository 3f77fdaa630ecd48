#include "model/pack.h"

#include <string.h>

Err pack_U8(Buf *out, const uint8_t *v)
{
    return buf_byte(out, *v);
}

Err pack_U32(Buf *out, const uint32_t *v)
{
    return buf_u32(out, *v);
}

Err pack_U64(Buf *out, const uint64_t *v)
{
    return buf_u64(out, *v);
}

Err pack_item(Buf *list, Bytes text)
{
    TRY(buf_u32(list, (uint32_t)text.len));
    return buf_append(list, text);
}

Err pack_BYTES(Buf *out, const Bytes *v)
{
    return pack_item(out, *v);
}

Err pack_LIST(Buf *out, const PackList *v)
{
    return pack_item(out, v->packed);
}

Err pack_ID(Buf *out, const Id *v)
{
    return buf_append(out, VIEW(v->bytes));
}

Err pack_KEY(Buf *out, const PackKey *v)
{
    return buf_append(out, VIEW(v->bytes));
}

Err unpack_U8(Reader *r, uint8_t *ret)
{
    return reader_u8(r, ret);
}

Err unpack_U32(Reader *r, uint32_t *ret)
{
    return reader_u32(r, ret);
}

Err unpack_U64(Reader *r, uint64_t *ret)
{
    return reader_u64(r, ret);
}

Err unpack_BYTES(Reader *r, Bytes *ret)
{
    uint32_t len;

    TRY(reader_u32(r, &len));
    return reader_bytes(r, len, ret);
}

Err unpack_LIST(Reader *r, PackList *ret)
{
    return unpack_BYTES(r, &ret->packed);
}

static Err unpack_fixed(Reader *r, uint8_t *ret, size_t len)
{
    Bytes b;

    TRY(reader_bytes(r, len, &b));
    memcpy(ret, b.ptr, len);
    return OK;
}

Err unpack_ID(Reader *r, Id *ret)
{
    return unpack_fixed(r, ret->bytes, sizeof ret->bytes);
}

Err unpack_KEY(Reader *r, PackKey *ret)
{
    return unpack_fixed(r, ret->bytes, sizeof ret->bytes);
}

bool pack_next(PackList *list, Bytes *ret_text)
{
    Reader r = reader_of(list->packed);

    if (unpack_BYTES(&r, ret_text) != OK)
        return false;
    list->packed = r.rest;
    return true;
}
