#include "proto/pg/pg_copy_read.h"

#include "base/reader.h"
#include "base/text.h"
#include "model/limits.h"

enum {
    HEAD_BYTES = 11 + 4 + 4, /* signature, flags, length of the extension */
    EXTENSION_MAX = 1 << 20,
    COLUMNS_MAX = 1664,
    TRAILER = UINT16_MAX,
    FIELD_KEPT = 64 << 10,
};

static const Bytes SIGNATURE = LIT_INIT("PGCOPY\n\xff\r\n\0");

void pg_copy_read_init(PgCopyRead *c, const CopyForm *form)
{
    const bool binary = form->format == COPY_BINARY;

    pg_copy_read_done(c);
    *c = (PgCopyRead){ .form = form, .at = binary ? COPY_AT_HEAD : COPY_AT_PLAIN };
    c->need = HEAD_BYTES;
    buf_init(&c->field, LIMIT_CLIENT_MESSAGE);
}

void pg_copy_read_done(PgCopyRead *c)
{
    buf_done(&c->field);
}

static void begin_field(PgCopyRead *c)
{
    if (!c->done)
        return;
    c->done = false;
    if (c->field.cap > FIELD_KEPT)
        buf_release(&c->field);
    buf_truncate(&c->field, 0);
}

static void give(PgCopyRead *c, Value *ret)
{
    c->done = true;
    *ret = (Value){ .bytes = buf_view(&c->field) };
}

/* --- text ----------------------------------------------------------------------------------- */

static bool ends_field(const CopyForm *f, uint8_t c)
{
    return c == f->delimiter || c == '\n' || c == '\r';
}

static int hex_digit(uint8_t c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static uint8_t control(uint8_t letter)
{
    switch (letter) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'v':
        return '\v';
    default:
        return letter;
    }
}

static Err put_code(PgCopyRead *c)
{
    c->at = COPY_AT_PLAIN;
    return buf_byte(&c->field, c->code);
}

static Err on_escape(PgCopyRead *c, uint8_t byte)
{
    if (byte >= '0' && byte <= '7') {
        c->at = COPY_AT_OCTAL;
        c->code = (uint8_t)(byte - '0');
        c->digits = 1;
        return OK;
    }
    c->at = byte == 'x' ? COPY_AT_HEX : COPY_AT_PLAIN;
    return byte == 'x' ? OK : buf_byte(&c->field, control(byte));
}

/* *ret_used false: the byte ends the number and stands for itself. */
static Err on_octal(PgCopyRead *c, uint8_t byte, bool *ret_used)
{
    *ret_used = byte >= '0' && byte <= '7';
    if (*ret_used) {
        c->code = (uint8_t)(c->code << 3 | (byte - '0'));
        c->digits++;
    }
    return !*ret_used || c->digits == 3 ? put_code(c) : OK;
}

static Err on_hex(PgCopyRead *c, uint8_t byte, bool *ret_used)
{
    const int digit = hex_digit(byte);

    *ret_used = digit >= 0;
    if (c->at == COPY_AT_HEX_DIGIT) {
        if (*ret_used)
            c->code = (uint8_t)(c->code << 4 | digit);
        return put_code(c);
    }
    c->at = *ret_used ? COPY_AT_HEX_DIGIT : COPY_AT_PLAIN;
    c->code = (uint8_t)(*ret_used ? digit : 0);
    return *ret_used ? OK : buf_byte(&c->field, 'x');
}

/* --- CSV ------------------------------------------------------------------------------------- */

static Err on_quoted(PgCopyRead *c, uint8_t byte)
{
    if (byte == c->form->escape) {
        c->at = COPY_AT_QUOTE;
        return OK;
    }
    if (byte == c->form->quote) {
        c->at = COPY_AT_PLAIN;
        return OK;
    }
    return buf_byte(&c->field, byte);
}

static Err on_quote(PgCopyRead *c, uint8_t byte, bool *ret_used)
{
    const CopyForm *f = c->form;

    *ret_used = byte == f->escape || byte == f->quote;
    if (*ret_used) {
        c->at = COPY_AT_QUOTED;
        return buf_byte(&c->field, byte);
    }
    c->at = f->escape == f->quote ? COPY_AT_PLAIN : COPY_AT_QUOTED;
    return f->escape == f->quote ? OK : buf_byte(&c->field, f->escape);
}

/* --- characters ---------------------------------------------------------------------------------
 */

/* How many bytes from the front stand for themselves. */
static size_t plain_run(const PgCopyRead *c, Bytes data)
{
    const CopyForm *f = c->form;
    const bool csv = f->format == COPY_CSV;
    size_t n = 0;

    while (n < data.len) {
        const uint8_t b = data.ptr[n];
        const bool special = c->at == COPY_AT_QUOTED
                                 ? b == f->quote || b == f->escape
                                 : ends_field(f, b) || b == (csv ? f->quote : '\\');

        if (special)
            break;
        n++;
    }
    return n;
}

/* *ret_used false: look at it again in the new state. */
static Err on_byte(PgCopyRead *c, uint8_t byte, bool *ret_used)
{
    *ret_used = true;
    switch (c->at) {
    case COPY_AT_PLAIN:
        c->at = c->form->format == COPY_CSV ? COPY_AT_QUOTED : COPY_AT_ESCAPE;
        return OK;
    case COPY_AT_ESCAPE:
        return on_escape(c, byte);
    case COPY_AT_OCTAL:
        return on_octal(c, byte, ret_used);
    case COPY_AT_HEX:
    case COPY_AT_HEX_DIGIT:
        return on_hex(c, byte, ret_used);
    case COPY_AT_QUOTED:
        return on_quoted(c, byte);
    case COPY_AT_QUOTE:
        return on_quote(c, byte, ret_used);
    case COPY_AT_HEAD:
    case COPY_AT_EXTENSION:
    case COPY_AT_COUNT:
    case COPY_AT_LENGTH:
    case COPY_AT_VALUE:
    case COPY_AT_END:
        break;
    }
    return ERR_MALFORMED;
}

static Err next_text(PgCopyRead *c, Bytes *data, Value *ret)
{
    while (data->len > 0) {
        const bool runs = c->at == COPY_AT_PLAIN || c->at == COPY_AT_QUOTED;
        const size_t plain = runs ? plain_run(c, *data) : 0;
        bool used = true;

        TRY(buf_append(&c->field, bytes_upto(*data, plain)));
        *data = bytes_from(*data, plain);
        if (data->len == 0)
            break;
        if (c->at == COPY_AT_PLAIN && ends_field(c->form, data->ptr[0])) {
            *data = bytes_from(*data, 1);
            give(c, ret);
            return OK;
        }
        TRY(on_byte(c, data->ptr[0], &used));
        *data = bytes_from(*data, used);
    }
    return ERR_MORE;
}

/* --- binary --------------------------------------------------------------------------------------
 */

static void expect(PgCopyRead *c, CopyAt at, size_t need)
{
    c->at = at;
    c->need = need;
    buf_truncate(&c->field, 0);
}

static Err on_head(PgCopyRead *c, Reader *r)
{
    uint32_t flags, extension;
    Bytes signature;

    TRY(reader_bytes(r, SIGNATURE.len, &signature));
    TRY(reader_u32(r, &flags));
    TRY(reader_u32(r, &extension));
    if (!text_eq(signature, SIGNATURE) || flags != 0)
        return ERR_MALFORMED;
    if (extension > EXTENSION_MAX)
        return ERR_LIMIT;
    expect(c, COPY_AT_EXTENSION, extension);
    return OK;
}

static Err on_count(PgCopyRead *c, Reader *r)
{
    uint16_t count;

    TRY(reader_u16(r, &count));
    if (count != TRAILER && count > COLUMNS_MAX)
        return ERR_MALFORMED;
    c->columns = count == TRAILER ? 0 : count;
    c->column = 0;
    if (count == TRAILER)
        expect(c, COPY_AT_END, 0);
    else
        expect(c, count > 0 ? COPY_AT_LENGTH : COPY_AT_COUNT, count > 0 ? 4 : 2);
    return OK;
}

static void next_column(PgCopyRead *c)
{
    const bool more = ++c->column < c->columns;

    expect(c, more ? COPY_AT_LENGTH : COPY_AT_COUNT, more ? 4 : 2);
}

static Err on_length(PgCopyRead *c, Reader *r)
{
    uint32_t length;

    TRY(reader_u32(r, &length));
    if (length == UINT32_MAX) {
        next_column(c);
        return OK;
    }
    if (length > INT32_MAX)
        return ERR_MALFORMED;
    if (length > LIMIT_CLIENT_MESSAGE)
        return ERR_LIMIT;
    expect(c, COPY_AT_VALUE, length);
    return OK;
}

static Err on_part(PgCopyRead *c)
{
    Reader r = reader_of(buf_view(&c->field));

    if (c->at == COPY_AT_HEAD)
        return on_head(c, &r);
    if (c->at == COPY_AT_COUNT)
        return on_count(c, &r);
    if (c->at == COPY_AT_LENGTH)
        return on_length(c, &r);
    expect(c, COPY_AT_COUNT, 2); /* behind the extension */
    return OK;
}

static Err next_binary(PgCopyRead *c, Bytes *data, Value *ret)
{
    for (;;) {
        const size_t lacks = c->need - buf_len(&c->field);
        const size_t len = lacks < data->len ? lacks : data->len;

        if (c->at == COPY_AT_END)
            return data->len > 0 ? ERR_MALFORMED : ERR_MORE;
        TRY(buf_append(&c->field, bytes_upto(*data, len)));
        *data = bytes_from(*data, len);
        if (len < lacks)
            return ERR_MORE;
        if (c->at == COPY_AT_VALUE)
            break;
        TRY(on_part(c));
    }
    const bool typed = c->column < c->form->type_count;

    give(c, ret);
    ret->binary = true;
    ret->type_oid = typed ? c->form->types[c->column] : 0;
    return OK;
}

Err pg_copy_read_next(PgCopyRead *c, Bytes *data, Value *ret)
{
    const bool binary = c->form->format == COPY_BINARY;

    if (c->done && binary)
        next_column(c);
    begin_field(c);
    return binary ? next_binary(c, data, ret) : next_text(c, data, ret);
}

bool pg_copy_read_end(PgCopyRead *c, Value *ret)
{
    if (c->form->format == COPY_BINARY)
        return false;
    begin_field(c);
    if ((c->at == COPY_AT_OCTAL || c->at == COPY_AT_HEX_DIGIT) && put_code(c) != OK)
        c->at = COPY_AT_PLAIN; /* one byte less of a field that is full */
    give(c, ret);
    return ret->bytes.len > 0;
}
