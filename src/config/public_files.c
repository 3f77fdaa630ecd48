#include "config/public_files.h"

#include "base/text.h"
#include "model/pack.h"
#include "sys/file.h"

static Err add(Bytes reference, Arena *a, Buf *out, const char **ret_path)
{
    static const Bytes FILE_PREFIX = LIT_INIT("file:");
    CLEANUP(buf_done) Buf file = { 0 };

    if (reference.len <= FILE_PREFIX.len || public_file(buf_view(out), reference).len > 0)
        return OK;
    buf_init(&file, PUBLIC_FILE_MAX);
    TRY(arena_string(a, bytes_from(reference, FILE_PREFIX.len), ret_path));
    TRY(file_read_all(*ret_path, &file));
    const Bytes bytes = buf_view(&file);
    TRY(pack_BYTES(out, &reference));
    return pack_BYTES(out, &bytes);
}

Err public_files_read(const Config *c, Arena *a, Buf *out, const char **ret_path)
{
    *ret_path = "";
    TRY(add(c->gateway.tls.cert, a, out, ret_path));
    TRY(add(c->gateway.tls.client_ca, a, out, ret_path));
    TRY(add(c->gateway.tls.client_crl, a, out, ret_path));
    for (size_t i = 0; i < c->policy.resources.count; i++)
        TRY(add(c->policy.resources.at[i].tls.ca, a, out, ret_path));
    return OK;
}

Bytes public_file(Bytes packed, Bytes reference)
{
    Reader r = reader_of(packed);
    Bytes name, bytes;

    while (!reader_at_end(&r)) {
        if (unpack_BYTES(&r, &name) != OK || unpack_BYTES(&r, &bytes) != OK)
            break;
        if (text_eq(name, reference))
            return bytes;
    }
    return (Bytes){ 0 };
}
