#include "backup/recovery_key.h"

#include "base/encode.h"
#include "base/text.h"
#include "crypto/hash.h"
#include "sys/entropy.h"

#include <string.h>

enum { CHECK_BYTES = 4, GROUP = 6, TEXT_MAX = 256 };

static const Bytes PRIVATE_PREFIX = LIT_INIT("rk1-"), PUBLIC_PREFIX = LIT_INIT("x25519:");

Err recovery_key_new(RecoveryKey *ret)
{
    random_fill(ret->private_key, sizeof ret->private_key);
    return box_public(ret->private_key, ret->public_key);
}

void recovery_key_done(RecoveryKey *k)
{
    explicit_bzero(k, sizeof *k);
}

static Hash check_of(const uint8_t private_key[BOX_KEY])
{
    return hash_of((Bytes){ private_key, BOX_KEY });
}

Err recovery_key_write(const RecoveryKey *k, Buf *out)
{
    CLEANUP(buf_done) Buf raw = { 0 };
    CLEANUP(buf_done) Buf text = { 0 };
    const Hash check = check_of(k->private_key);

    buf_init(&raw, TEXT_MAX);
    buf_init(&text, TEXT_MAX);
    TRY(buf_append(&raw, VIEW(k->private_key)));
    TRY(buf_append(&raw, (Bytes){ check.bytes, CHECK_BYTES }));
    TRY(base32_encode(buf_view(&raw), &text));
    TRY(buf_append(out, PRIVATE_PREFIX));
    Bytes rest = buf_view(&text);
    for (; rest.len > GROUP; rest = bytes_from(rest, GROUP)) {
        TRY(buf_append(out, bytes_upto(rest, GROUP)));
        TRY(buf_byte(out, '-'));
    }
    return buf_append(out, rest);
}

static Err take_digits(Bytes text, Buf *out)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] != '-' && text.ptr[i] != ' ')
            TRY(buf_byte(out, text.ptr[i]));
    return OK;
}

Err recovery_key_read(Bytes text, RecoveryKey *ret)
{
    CLEANUP(buf_done) Buf digits = { 0 };
    CLEANUP(buf_done) Buf raw = { 0 };
    const Bytes trimmed = text_trim(text);

    buf_init(&digits, TEXT_MAX);
    buf_init(&raw, TEXT_MAX);
    if (trimmed.len < PRIVATE_PREFIX.len || trimmed.len > TEXT_MAX / 2 ||
        !text_eq_nocase(bytes_upto(trimmed, PRIVATE_PREFIX.len), PRIVATE_PREFIX))
        return ERR_MALFORMED;
    TRY(take_digits(bytes_from(trimmed, PRIVATE_PREFIX.len), &digits));
    TRY(base32_decode(buf_view(&digits), &raw));
    if (buf_len(&raw) != BOX_KEY + CHECK_BYTES)
        return ERR_MALFORMED;
    memcpy(ret->private_key, buf_view(&raw).ptr, BOX_KEY);
    const Hash check = check_of(ret->private_key);
    if (!text_eq(bytes_from(buf_view(&raw), BOX_KEY), (Bytes){ check.bytes, CHECK_BYTES }))
        return ERR_MALFORMED;
    return box_public(ret->private_key, ret->public_key);
}

Err recovery_public_write(const uint8_t public_key[BOX_KEY], Buf *out)
{
    TRY(buf_append(out, PUBLIC_PREFIX));
    return hex_encode((Bytes){ public_key, BOX_KEY }, out);
}

Err recovery_public_read(Bytes text, uint8_t ret[BOX_KEY])
{
    CLEANUP(buf_done) Buf raw = { 0 };

    buf_init(&raw, TEXT_MAX);
    if (!text_starts(text, PUBLIC_PREFIX))
        return ERR_MALFORMED;
    TRY(hex_decode(bytes_from(text, PUBLIC_PREFIX.len), &raw));
    if (buf_len(&raw) != BOX_KEY)
        return ERR_MALFORMED;
    memcpy(ret, buf_view(&raw).ptr, BOX_KEY);
    return OK;
}
