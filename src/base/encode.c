#include "base/encode.h"

static const char HEX[] = "0123456789abcdef";
static const char BASE64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char BASE32[] = "0123456789abcdefghjkmnpqrstvwxyz";

enum { NO_DIGIT = 255 };

static uint8_t hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return (uint8_t)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (uint8_t)(c - 'a' + 10);
    if (c >= 'A' && c <= 'F')
        return (uint8_t)(c - 'A' + 10);
    return NO_DIGIT;
}

Err hex_encode(Bytes from, Buf *out)
{
    for (size_t i = 0; i < from.len; i++) {
        TRY(buf_byte(out, (uint8_t)HEX[from.ptr[i] >> 4]));
        TRY(buf_byte(out, (uint8_t)HEX[from.ptr[i] & 15]));
    }
    return OK;
}

Err hex_decode(Bytes text, Buf *out)
{
    if (text.len % 2 != 0)
        return ERR_MALFORMED;
    for (size_t i = 0; i < text.len; i += 2) {
        const uint8_t high = hex_digit(text.ptr[i]), low = hex_digit(text.ptr[i + 1]);

        if (high == NO_DIGIT || low == NO_DIGIT)
            return ERR_MALFORMED;
        TRY(buf_byte(out, (uint8_t)(high << 4 | low)));
    }
    return OK;
}

Err base64_encode(Bytes from, Buf *out)
{
    while (from.len > 0) {
        const size_t take = from.len < 3 ? from.len : 3;
        const uint32_t group = (uint32_t)from.ptr[0] << 16 |
                               (take > 1 ? (uint32_t)from.ptr[1] << 8 : 0) |
                               (take > 2 ? from.ptr[2] : 0);
        const uint8_t chars[4] = {
            (uint8_t)BASE64[group >> 18],
            (uint8_t)BASE64[group >> 12 & 63],
            take > 1 ? (uint8_t)BASE64[group >> 6 & 63] : '=',
            take > 2 ? (uint8_t)BASE64[group & 63] : '=',
        };
        TRY(buf_append(out, VIEW(chars)));
        from = bytes_from(from, take);
    }
    return OK;
}

static uint8_t base64_digit(uint8_t c)
{
    for (uint8_t i = 0; i < 64; i++)
        if (BASE64[i] == (char)c)
            return i;
    return NO_DIGIT;
}

static Err base64_group(Bytes four, bool last, Buf *out)
{
    const size_t pad = four.ptr[3] != '=' ? 0 : four.ptr[2] != '=' ? 1 : 2;
    uint32_t group = 0;

    if (pad > 0 && !last)
        return ERR_MALFORMED;
    for (size_t i = 0; i < 4 - pad; i++) {
        const uint8_t digit = base64_digit(four.ptr[i]);

        if (digit == NO_DIGIT)
            return ERR_MALFORMED;
        group |= (uint32_t)digit << (18 - 6 * i);
    }
    if ((pad == 1 && (group & 0xFF) != 0) || (pad == 2 && (group & 0xFFFF) != 0))
        return ERR_MALFORMED;
    const uint8_t raw[3] = { (uint8_t)(group >> 16), (uint8_t)(group >> 8), (uint8_t)group };
    return buf_append(out, (Bytes){ raw, 3 - pad });
}

Err base64_decode(Bytes text, Buf *out)
{
    if (text.len % 4 != 0)
        return ERR_MALFORMED;
    for (; text.len > 0; text = bytes_from(text, 4))
        TRY(base64_group(bytes_upto(text, 4), text.len == 4, out));
    return OK;
}

void base32_text(Bytes from, size_t chars, char *ret_text)
{
    for (size_t i = 0; i < chars; i++) {
        /* The two bytes that its five bits lie in; behind the end there are zeros. */
        const size_t at = 5 * i / 8, skip = 5 * i % 8;
        const unsigned high = at < from.len ? from.ptr[at] : 0;
        const unsigned low = at + 1 < from.len ? from.ptr[at + 1] : 0;

        ret_text[i] = BASE32[(high << 8 | low) >> (11 - skip) & 31];
    }
}

Err base32_encode(Bytes from, Buf *out)
{
    const size_t chars = (from.len * 8 + 4) / 5;

    for (size_t i = 0; i < chars; i += 8) {
        const Bytes five = bytes_from(from, i / 8 * 5);
        const size_t count = chars - i < 8 ? chars - i : 8;
        char text[8];

        base32_text(five, count, text);
        for (size_t k = 0; k < count; k++) {
            const char c = text[k];
            TRY(buf_byte(out, (uint8_t)(c >= 'a' ? c - 'a' + 'A' : c)));
        }
    }
    return OK;
}

static uint8_t base32_digit(uint8_t c)
{
    const char low = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);

    for (uint8_t i = 0; i < 32; i++)
        if (BASE32[i] == low)
            return i;
    return NO_DIGIT;
}

Err base32_decode(Bytes text, Buf *out)
{
    uint32_t held = 0;
    unsigned bits = 0;

    for (size_t i = 0; i < text.len; i++) {
        const uint8_t digit = base32_digit(text.ptr[i]);

        if (digit == NO_DIGIT)
            return ERR_MALFORMED;
        held = (held << 5 | digit) & 0xFFFF;
        bits += 5;
        if (bits >= 8) {
            bits -= 8;
            TRY(buf_byte(out, (uint8_t)(held >> bits)));
        }
    }
    return bits < 5 && (held & ((1u << bits) - 1)) == 0 ? OK : ERR_MALFORMED;
}
