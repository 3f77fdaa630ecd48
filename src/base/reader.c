#include "base/reader.h"

#include <string.h>

Err reader_string(Reader *r, Bytes *ret)
{
    const uint8_t *nul = r->rest.len > 0 ? memchr(r->rest.ptr, 0, r->rest.len) : NULL;

    if (nul == NULL)
        return ERR_MALFORMED;
    *ret = bytes_upto(r->rest, (size_t)(nul - r->rest.ptr));
    r->rest = bytes_from(r->rest, ret->len + 1);
    return OK;
}
