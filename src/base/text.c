#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { FORMAT_MAX = 64 * 1024 };

bool text_eq(Bytes a, Bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 'a' - 'A') : c;
}

bool text_eq_nocase(Bytes a, Bytes b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower(a.ptr[i]) != lower(b.ptr[i]))
            return false;
    return true;
}

bool text_has_nocase(Bytes text, Bytes needle)
{
    for (size_t at = 0; at + needle.len <= text.len; at++)
        if (text_eq_nocase(bytes_upto(bytes_from(text, at), needle.len), needle))
            return true;
    return false;
}

int text_compare(Bytes a, Bytes b)
{
    const size_t common = a.len < b.len ? a.len : b.len;
    const int order = common > 0 ? memcmp(a.ptr, b.ptr, common) : 0;

    if (order != 0)
        return order;
    return a.len < b.len ? -1 : a.len > b.len;
}

bool text_starts(Bytes text, Bytes prefix)
{
    return text.len >= prefix.len && text_eq(bytes_upto(text, prefix.len), prefix);
}

size_t text_find(Bytes text, Bytes needle)
{
    for (size_t at = 0; needle.len <= text.len && at <= text.len - needle.len; at++)
        if (text_starts(bytes_from(text, at), needle))
            return at;
    return text.len;
}

Bytes text_of(const char *s)
{
    return s == NULL ? (Bytes){ 0 } : (Bytes){ (const uint8_t *)s, strlen(s) };
}

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

Bytes text_trim(Bytes text)
{
    while (text.len > 0 && is_space(text.ptr[0]))
        text = bytes_from(text, 1);
    while (text.len > 0 && is_space(text.ptr[text.len - 1]))
        text = bytes_upto(text, text.len - 1);
    return text;
}

Err text_u64(Bytes text, uint64_t max, uint64_t *ret)
{
    uint64_t value = 0;

    if (text.len == 0)
        return ERR_MALFORMED;
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.ptr[i];

        if (c < '0' || c > '9')
            return ERR_MALFORMED;
        if (__builtin_mul_overflow(value, (uint64_t)10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(c - '0'), &value))
            return ERR_LIMIT;
    }
    if (value > max)
        return ERR_LIMIT;
    *ret = value;
    return OK;
}

Err text_format(Buf *out, const char *format, ...)
{
    va_list args, again;

    va_start(args, format);
    va_copy(again, args);
    const int len = vsnprintf(NULL, 0, format, args);
    va_end(args);

    Err err = ERR_LIMIT;
    uint8_t *room;
    size_t size;
    if (len >= 0 && len <= FORMAT_MAX)
        err = buf_room(out, (size_t)len + 1, &room, &size);
    if (err == OK) {
        (void)vsnprintf((char *)room, (size_t)len + 1, format, again);
        buf_filled(out, (size_t)len);
    }
    va_end(again);
    return err;
}

/* Unicode 15, table 3-7: well-formed UTF-8 byte sequences. Returns 0 when malformed. */
static size_t char_len(Bytes b)
{
    const uint8_t c = b.ptr[0];
    uint8_t low = 0x80, high = 0xBF;
    size_t len;

    if (c < 0x80)
        return 1;
    if (c >= 0xC2 && c <= 0xDF)
        len = 2;
    else if (c >= 0xE0 && c <= 0xEF)
        len = 3;
    else if (c >= 0xF0 && c <= 0xF4)
        len = 4;
    else
        return 0;
    if (len > b.len)
        return 0;
    low = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : low;
    high = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : high;
    if (b.ptr[1] < low || b.ptr[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if (b.ptr[i] < 0x80 || b.ptr[i] > 0xBF)
            return 0;
    return len;
}

bool utf8_valid(Bytes text)
{
    while (text.len > 0) {
        const size_t len = char_len(text);

        if (len == 0)
            return false;
        text = bytes_from(text, len);
    }
    return true;
}

Bytes utf8_upto(Bytes text, size_t max)
{
    if (text.len <= max)
        return text;
    while (max > 0 && (text.ptr[max] & 0xC0) == 0x80)
        max--;
    return bytes_upto(text, max);
}

bool secret_eq(Bytes a, Bytes b)
{
    volatile uint8_t diff = 0;

    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        diff = (uint8_t)(diff | (a.ptr[i] ^ b.ptr[i]));
    return diff == 0;
}
