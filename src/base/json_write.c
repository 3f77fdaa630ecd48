#include "base/json_write.h"

#include "base/text.h"

#include <string.h>

Json json_write_begin(Buf *out)
{
    return (Json){ .out = out };
}

Err json_write_end(const Json *j)
{
    return j->err;
}

static void put(Json *j, Bytes bytes)
{
    if (j->err == OK)
        j->err = buf_append(j->out, bytes);
}

/* U+FFFD in place of the byte that cannot stand, then go on behind it. */
static size_t valid_run(Bytes text)
{
    size_t run = 0;

    while (run < text.len) {
        size_t len = 1;

        if (text.ptr[run] < 0x80) {
            run++;
            continue;
        }

        while (len < 4 && run + len < text.len && (text.ptr[run + len] & 0xC0) == 0x80)
            len++;
        if (!utf8_valid(bytes_upto(bytes_from(text, run), len)))
            return run;
        run += len;
    }
    return run;
}

static void put_char(Json *j, uint8_t c)
{
    switch (c) {
    case '"':
        put(j, LIT("\\\""));
        return;
    case '\\':
        put(j, LIT("\\\\"));
        return;
    case '\n':
        put(j, LIT("\\n"));
        return;
    case '\r':
        put(j, LIT("\\r"));
        return;
    case '\t':
        put(j, LIT("\\t"));
        return;
    default:
        if (j->err == OK)
            j->err = text_format(j->out, "\\u%04x", c);
    }
}

static void put_valid(Json *j, Bytes text)
{
    size_t from = 0;

    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.ptr[i];

        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f)
            continue;
        put(j, bytes_upto(bytes_from(text, from), i - from));
        put_char(j, c);
        from = i + 1;
    }
    put(j, bytes_from(text, from));
}

static bool is_plain(uint8_t c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static void put_odd(Json *j, Bytes text)
{
    while (text.len > 0 && j->err == OK) {
        const size_t run = valid_run(text);

        put_valid(j, bytes_upto(text, run));
        text = bytes_from(text, run);
        if (text.len > 0) {
            put(j, LIT("\xEF\xBF\xBD"));
            text = bytes_from(text, 1);
        }
    }
}

/* NULL: no room, and the failure sticks. What was written is told with buf_filled(). */
static uint8_t *room_for(Json *j, size_t len)
{
    uint8_t *room;
    size_t size;

    if (j->err == OK)
        j->err = buf_room(j->out, len, &room, &size);
    return j->err == OK ? room : NULL;
}

static uint8_t *copy(uint8_t *to, const void *from, size_t len)
{
    if (len > 0)
        memcpy(to, from, len);
    return to + len;
}

/* Most texts have nothing to escape: they are copied in one piece. */
static void put_text(Json *j, Bytes text)
{
    size_t plain = 0;

    while (plain < text.len && is_plain(text.ptr[plain]))
        plain++;
    uint8_t *to = room_for(j, plain + 2);
    if (to == NULL)
        return;
    *to++ = '"';
    to = copy(to, text.ptr, plain);
    *to = '"';
    buf_filled(j->out, plain + (plain == text.len ? 2 : 1));
    if (plain == text.len)
        return;
    put_odd(j, bytes_from(text, plain));
    put(j, LIT("\""));
}

/* Keys are ours: there is nothing to escape in them. */
static void begin_value(Json *j, const char *key)
{
    const size_t len = key != NULL ? strlen(key) : 0;
    uint8_t *to = room_for(j, len + 4);
    const uint8_t *begin = to;

    if (to == NULL)
        return;
    if (j->comma)
        *to++ = ',';
    if (key != NULL) {
        *to++ = '"';
        to = copy(to, key, len);
        *to++ = '"';
        *to++ = ':';
    }
    buf_filled(j->out, (size_t)(to - begin));
    j->comma = true;
}

void json_write_object(Json *j, const char *key)
{
    begin_value(j, key);
    put(j, LIT("{"));
    j->comma = false;
}

void json_write_object_end(Json *j)
{
    put(j, LIT("}"));
    j->comma = true;
}

void json_write_array(Json *j, const char *key)
{
    begin_value(j, key);
    put(j, LIT("["));
    j->comma = false;
}

void json_write_array_end(Json *j)
{
    put(j, LIT("]"));
    j->comma = true;
}

void json_write_string(Json *j, const char *key, Bytes value)
{
    begin_value(j, key);
    put_text(j, value);
}

static void put_number(Json *j, uint64_t value, bool negative)
{
    uint8_t digits[24];
    size_t at = sizeof digits;

    do
        digits[--at] = (uint8_t)('0' + value % 10);
    while ((value /= 10) > 0);
    if (negative)
        digits[--at] = '-';
    put(j, bytes_from(VIEW(digits), at));
}

void json_write_u64(Json *j, const char *key, uint64_t value)
{
    begin_value(j, key);
    put_number(j, value, false);
}

void json_write_i64(Json *j, const char *key, int64_t value)
{
    begin_value(j, key);
    put_number(j, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, value < 0);
}

void json_write_bool(Json *j, const char *key, bool value)
{
    begin_value(j, key);
    put(j, value ? LIT("true") : LIT("false"));
}

void json_write_null(Json *j, const char *key)
{
    begin_value(j, key);
    put(j, LIT("null"));
}

void json_write_raw(Json *j, const char *key, Bytes document)
{
    begin_value(j, key);
    put(j, document);
}
