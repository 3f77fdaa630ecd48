#include "phi/transform.h"

#include "base/encode.h"
#include "base/reader.h"
#include "base/text.h"
#include "phi/calendar.h"

/* https://www.postgresql.org/docs/15/catalog-pg-type.html, pg_type.dat: fixed for ever. */
enum {
    TYPE_BYTEA = 17,
    TYPE_CHAR = 18,
    TYPE_NAME = 19,
    TYPE_TEXT = 25,
    TYPE_JSON = 114,
    TYPE_BPCHAR = 1042,
    TYPE_VARCHAR = 1043,
    TYPE_DATE = 1082,
    TYPE_TIMESTAMP = 1114,
    TYPE_TIMESTAMPTZ = 1184,
    TYPE_UUID = 2950,
    TYPE_JSONB = 3802,
};

/* 45 CFR 164.514(b)(2)(i)(C): ages over 89 are "a single category of age 90 or older". */
enum { AGE_OPEN_ENDED = 90 };

enum { TYPMOD_HEADER = 4, BLOCK_COUNT = 5, UUID_BYTES = 16, JSONB_VERSION = 1 };

static const Bytes BLOCK = LIT_INIT("\xE2\x96\x92"); /* U+2592, medium shade */

static bool is_text(uint32_t type)
{
    return type == TYPE_TEXT || type == TYPE_VARCHAR || type == TYPE_BPCHAR || type == TYPE_NAME;
}

static Err as_null(bool *ret_null)
{
    *ret_null = true;
    return OK;
}

/* --- redact ------------------------------------------------------------------------------- */

static Err blocks(size_t count, Buf *out)
{
    for (size_t i = 0; i < count; i++)
        TRY(buf_append(out, BLOCK));
    return OK;
}

/* Fits varchar(n); char(n) is padded as the server pads it. */
static Err redact_text(const Cell *c, Buf *out)
{
    const bool bounded = c->typmod > TYPMOD_HEADER && c->type_oid != TYPE_NAME;
    const size_t room = bounded ? (size_t)(c->typmod - TYPMOD_HEADER) : BLOCK_COUNT;
    const size_t count = room < BLOCK_COUNT ? room : BLOCK_COUNT;

    TRY(blocks(count, out));
    if (c->type_oid == TYPE_BPCHAR && bounded)
        for (size_t i = count; i < room; i++)
            TRY(buf_byte(out, ' '));
    return OK;
}

static Err redact_json(const Cell *c, Buf *out)
{
    if (c->type_oid == TYPE_JSONB && c->binary)
        TRY(buf_byte(out, JSONB_VERSION));
    TRY(buf_byte(out, '"'));
    TRY(blocks(BLOCK_COUNT, out));
    return buf_byte(out, '"');
}

static Err redact(const Cell *c, Buf *out, bool *ret_null)
{
    if (is_text(c->type_oid))
        return redact_text(c, out);
    if (c->type_oid == TYPE_JSON || c->type_oid == TYPE_JSONB)
        return redact_json(c, out);
    if (c->type_oid == TYPE_BYTEA)
        return c->binary ? OK : buf_append(out, LIT("\\x"));
    return as_null(ret_null);
}

/* --- year --------------------------------------------------------------------------------- */

static Err year_text(const Cell *c, int64_t oldest, Buf *out, bool *ret_null)
{
    const size_t start = buf_len(out);
    const bool zone = c->type_oid == TYPE_TIMESTAMPTZ;
    bool is_oldest = false;
    const Err err = zone || c->type_oid == TYPE_TIMESTAMP
                        ? calendar_stamp_text(c->value, zone, oldest, out)
                        : calendar_date_text(c->value, oldest, out, &is_oldest);

    if (err == OK && !(is_oldest && is_text(c->type_oid)))
        return OK;
    buf_truncate(out, start);
    if (err == OK)
        return buf_append(out, LIT("90+"));
    return err == ERR_MALFORMED ? as_null(ret_null) : err;
}

static Err year_binary(const Cell *c, int64_t oldest, Buf *out, bool *ret_null)
{
    Reader r = reader_of(c->value);
    uint32_t days;
    uint64_t micros;

    if (c->type_oid == TYPE_DATE) {
        TRY(reader_u32(&r, &days));
        int32_t first;
        if (!reader_at_end(&r) || !calendar_year_start_days((int32_t)days, oldest, &first))
            return as_null(ret_null);
        return buf_u32(out, (uint32_t)first);
    }
    TRY(reader_u64(&r, &micros));
    int64_t first;
    if (!reader_at_end(&r) || !calendar_year_start_micros((int64_t)micros, oldest, &first))
        return as_null(ret_null);
    return buf_u64(out, (uint64_t)first);
}

static Err year(const Cell *c, int64_t this_year, Buf *out, bool *ret_null)
{
    const int64_t oldest = this_year - AGE_OPEN_ENDED;
    const bool timed = c->type_oid == TYPE_DATE || c->type_oid == TYPE_TIMESTAMP ||
                       c->type_oid == TYPE_TIMESTAMPTZ;

    if ((!timed && !is_text(c->type_oid)) ||
        oldest <= 0) /* who is old? nobody said what year it is */
        return as_null(ret_null);
    return timed && c->binary ? year_binary(c, oldest, out, ret_null)
                              : year_text(c, oldest, out, ret_null);
}

/* --- zip3 --------------------------------------------------------------------------------- */

/* 20,000 people or fewer by the census of 2010: 45 CFR 164.514(b)(2)(i)(B), HHS guidance. */
static const char SMALL_ZIPS[][4] = {
    "036", "059", "063", "102", "203", "205", "369", "556", "692", "790",
    "821", "823", "830", "831", "878", "879", "884", "890", "893",
};

static Err zip3(const Cell *c, Buf *out, bool *ret_null)
{
    const Bytes v = text_trim(c->value);
    size_t digits = 0;

    while (digits < v.len && v.ptr[digits] >= '0' && v.ptr[digits] <= '9')
        digits++;
    if (!is_text(c->type_oid) || (digits != 5 && digits != 9) ||
        (v.len > digits && v.ptr[digits] != '-'))
        return as_null(ret_null);
    for (size_t i = 0; i < COUNT_OF(SMALL_ZIPS); i++)
        if (text_starts(v, text_of(SMALL_ZIPS[i])))
            return buf_append(out, LIT("000"));
    return buf_append(out, bytes_upto(v, 3));
}

/* --- pseudonym ---------------------------------------------------------------------------- */

static Siv *key_of(const PhiKeys *keys, Bytes scope)
{
    for (size_t i = 0; i < keys->count; i++)
        if (text_eq(keys->keys[i].scope, scope))
            return &keys->keys[i].siv;
    return NULL;
}

/* char(n) pads with blanks that are no part of the value: one person, one pseudonym. */
static Bytes unpadded(const Cell *c)
{
    Bytes v = c->value;

    while (c->type_oid == TYPE_BPCHAR && v.len > 0 && v.ptr[v.len - 1] == ' ')
        v = bytes_upto(v, v.len - 1);
    return v;
}

static Err pseudonym_text(Siv *siv, const Cell *c, Buf *out)
{
    CLEANUP(buf_done) Buf sealed = { 0 };
    const Bytes plain = unpadded(c);

    buf_init(&sealed, SIV_TAG + SIV_TEXT_MAX);
    TRY(siv_seal(siv, NULL, 0, plain, &sealed));
    if (c->mask->class_prefix.len > 0) {
        TRY(buf_append(out, c->mask->class_prefix));
        TRY(buf_byte(out, '-'));
    }
    return base32_encode(buf_view(&sealed), out);
}

static Err uuid_bytes(const Cell *c, Buf *out)
{
    CLEANUP(buf_done) Buf digits = { 0 };

    if (c->binary)
        return buf_append(out, c->value);
    buf_init(&digits, 64);
    for (size_t i = 0; i < c->value.len; i++)
        if (c->value.ptr[i] != '-')
            TRY(buf_byte(&digits, c->value.ptr[i]));
    return hex_decode(buf_view(&digits), out);
}

static Err put_uuid(const uint8_t raw[UUID_BYTES], bool binary, Buf *out)
{
    if (binary)
        return buf_append(out, (Bytes){ raw, UUID_BYTES });
    for (size_t i = 0; i < UUID_BYTES; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            TRY(buf_byte(out, '-'));
        TRY(hex_encode((Bytes){ raw + i, 1 }, out));
    }
    return OK;
}

/* Version 8 (RFC 9562 §5.8): vendor-made, so never another person's real one. */
static Err pseudonym_uuid(Siv *siv, const Cell *c, Buf *out)
{
    CLEANUP(buf_done) Buf plain = { 0 }, sealed = { 0 };
    uint8_t raw[UUID_BYTES];

    buf_init(&plain, 64);
    buf_init(&sealed, 256);
    TRY(uuid_bytes(c, &plain));
    TRY(siv_seal(siv, NULL, 0, buf_view(&plain), &sealed));
    const Bytes v = buf_view(&sealed);
    for (size_t i = 0; i < UUID_BYTES; i++)
        raw[i] = v.ptr[i];
    raw[6] = (uint8_t)((raw[6] & 0x0f) | 0x80);
    raw[8] = (uint8_t)((raw[8] & 0x3f) | 0x80);
    return put_uuid(raw, c->binary, out);
}

static Err pseudonym(PhiKeys *keys, const Cell *c, Buf *out, bool *ret_null)
{
    Siv *siv = key_of(keys, c->mask->scope);

    if (siv == NULL)
        return ERR_REFUSED;
    if (is_text(c->type_oid))
        return pseudonym_text(siv, c, out);
    if (c->type_oid == TYPE_UUID)
        return pseudonym_uuid(siv, c, out);
    return as_null(ret_null);
}

Err phi_transform(PhiKeys *keys, const Cell *cell, int64_t this_year, Buf *out, bool *ret_null)
{
    *ret_null = false;
    switch (cell->mask->method) {
    case MASK_CLEAR:
        return buf_append(out, cell->value);
    case MASK_NULL:
        return as_null(ret_null);
    case MASK_REDACT:
        return redact(cell, out, ret_null);
    case MASK_YEAR:
        return year(cell, this_year, out, ret_null);
    case MASK_ZIP3:
        return zip3(cell, out, ret_null);
    case MASK_PSEUDONYM:
        return pseudonym(keys, cell, out, ret_null);
    case MASK_WITHHOLD:
        break;
    }
    return ERR_REFUSED;
}
