#include "evidence/pg_screen.h"

#include "base/reader.h"
#include "base/text.h"
#include "evidence/screen.h"
#include "proto/pg/pg_frame.h"

#include <string.h>

enum {
    WIRE_MAX = 64 << 20,
    TABLE_BUDGET = 64 << 20,
    CELL_SHOWN = 256, /* characters of a cell that a table shows */
    FIELD_REST = 16,  /* RowDescription: table, attribute, type, length, modifier; then format */
};

Err pg_screen_init(PgScreen *s)
{
    *s = (PgScreen){ 0 };
    buf_init(&s->wire, WIRE_MAX);
    arena_init(&s->arena, TABLE_BUDGET);
    arena_init(&s->row_arena, TABLE_BUDGET);
    return OK;
}

void pg_screen_done(PgScreen *s)
{
    buf_done(&s->wire);
    arena_done(&s->arena);
    arena_done(&s->row_arena);
}

/* --- drawing ------------------------------------------------------------------------------ */

static size_t widest(const PgScreen *s, size_t column)
{
    size_t width = screen_width(s->names[column]);

    for (size_t i = 0; i < s->row_count; i++) {
        const size_t w = screen_width(s->rows[i][column]);
        width = w > width ? w : width;
    }
    return width;
}

static Err fill(Buf *out, uint8_t with, size_t count)
{
    while (count-- > 0)
        TRY(buf_byte(out, with));
    return OK;
}

static Err draw_line(const PgScreen *s, const Bytes *cells, const size_t *widths, Buf *out)
{
    for (size_t i = 0; i < s->columns; i++) {
        TRY(buf_append(out, i > 0 ? LIT("| ") : LIT(" ")));
        TRY(buf_append(out, cells[i]));
        TRY(fill(out, ' ', widths[i] - screen_width(cells[i]) + 1));
    }
    return buf_byte(out, '\n');
}

static Err draw(PgScreen *s, Buf *out)
{
    void *mem;

    TRY(arena_array(&s->row_arena, s->columns + 1, sizeof(size_t), &mem));
    size_t *widths = mem;
    for (size_t i = 0; i < s->columns; i++)
        widths[i] = widest(s, i);
    TRY(draw_line(s, s->names, widths, out));
    for (size_t i = 0; i < s->columns; i++) {
        TRY(buf_append(out, i > 0 ? LIT("+") : LIT("")));
        TRY(fill(out, '-', widths[i] + 2));
    }
    TRY(buf_byte(out, '\n'));
    for (size_t i = 0; i < s->row_count; i++)
        TRY(draw_line(s, s->rows[i], widths, out));
    return OK;
}

static void forget_table(PgScreen *s)
{
    const size_t total = s->total;

    arena_done(&s->arena);
    arena_done(&s->row_arena);
    *s =
        (PgScreen){ .wire = s->wire, .arena = s->arena, .row_arena = s->row_arena, .total = total };
}

Err pg_screen_flush(PgScreen *s, Buf *out)
{
    if (s->columns > 0)
        TRY(draw(s, out));
    forget_table(s);
    s->total = 0;
    return OK;
}

/* --- messages ----------------------------------------------------------------------------- */

static Err start_rows(PgScreen *s, size_t columns)
{
    void *mem;

    s->columns = columns;
    TRY(arena_array(&s->arena, columns, sizeof(Bytes), &mem));
    s->names = mem;
    TRY(arena_array(&s->arena, columns, sizeof(bool), &mem));
    s->binary = mem;
    TRY(arena_array(&s->arena, SCREEN_ROWS_MAX, sizeof(Bytes *), &mem));
    s->rows = mem;
    return OK;
}

static Err show_into(Arena *a, Bytes text, Bytes *ret)
{
    CLEANUP(buf_done) Buf shown = { 0 };
    const Bytes part = utf8_upto(text, CELL_SHOWN);

    buf_init(&shown, 16 * CELL_SHOWN);
    TRY(screen_text(part, &shown));
    if (part.len < text.len)
        TRY(text_format(&shown, "… (%zu bytes)", text.len));
    return arena_copy(a, buf_view(&shown), ret);
}

static Err on_row_description(PgScreen *s, Bytes body, Buf *out)
{
    Reader r = reader_of(body);
    uint16_t count, format;
    Bytes name, rest;

    TRY(pg_screen_flush(s, out));
    TRY(reader_u16(&r, &count));
    if (count > SCREEN_COLUMNS_MAX)
        return ERR_MALFORMED;
    TRY(start_rows(s, count));
    for (size_t i = 0; i < count; i++) {
        TRY(reader_string(&r, &name));
        TRY(reader_bytes(&r, FIELD_REST, &rest));
        TRY(reader_u16(&r, &format));
        TRY(show_into(&s->arena, name, &s->names[i]));
        s->binary[i] = format == 1;
    }
    return OK;
}

static Err show_hex(Arena *a, Bytes value, Bytes *ret)
{
    CLEANUP(buf_done) Buf hex = { 0 };

    buf_init(&hex, 4 * CELL_SHOWN);
    TRY(buf_append(&hex, LIT("\\x")));
    for (size_t i = 0; i < value.len && i < CELL_SHOWN; i++)
        TRY(text_format(&hex, "%02x", value.ptr[i]));
    return arena_copy(a, buf_view(&hex), ret);
}

static Err read_cell(PgScreen *s, Reader *r, size_t column, Bytes *ret)
{
    uint32_t len;
    Bytes value;

    TRY(reader_u32(r, &len));
    *ret = LIT("");
    if (len == UINT32_MAX)
        return OK; /* NULL, which psql shows as nothing */
    TRY(reader_bytes(r, len, &value));
    return s->binary[column] ? show_hex(&s->row_arena, value, ret)
                             : show_into(&s->row_arena, value, ret);
}

/* Long results are drawn in pieces, each with its own widths. */
static Err make_room(PgScreen *s, Buf *out)
{
    if (s->row_count < SCREEN_ROWS_MAX)
        return OK;
    TRY(draw(s, out));
    s->row_count = 0;
    arena_done(&s->row_arena);
    return OK;
}

static Err on_data_row(PgScreen *s, Bytes body, Buf *out)
{
    Reader r = reader_of(body);
    uint16_t count;
    void *mem;

    TRY(reader_u16(&r, &count));
    if (s->rows == NULL && count <= SCREEN_COLUMNS_MAX)
        TRY(start_rows(s, count)); /* described before, in another response */
    if (count != s->columns)
        return ERR_MALFORMED;
    TRY(make_room(s, out));
    TRY(arena_array(&s->row_arena, count, sizeof(Bytes), &mem));
    Bytes *cells = mem;
    for (size_t i = 0; i < count; i++)
        TRY(read_cell(s, &r, i, &cells[i]));
    s->rows[s->row_count++] = cells;
    s->total++;
    return OK;
}

static Err on_complete(PgScreen *s, Bytes body, Buf *out)
{
    Reader r = reader_of(body);
    Bytes tag;

    TRY(reader_string(&r, &tag));
    const size_t rows = s->total;
    if (s->columns > 0) {
        TRY(pg_screen_flush(s, out));
        return text_format(out, "(%zu row%s)\n", rows, rows == 1 ? "" : "s");
    }
    TRY(screen_text(tag, out));
    return buf_byte(out, '\n');
}

static Err field_line(const char *label, Bytes value, Buf *out)
{
    TRY(buf_append(out, text_of(label)));
    TRY(buf_append(out, LIT(":  ")));
    TRY(screen_lines(value, out));
    return buf_byte(out, '\n');
}

/* ErrorResponse and NoticeResponse: severity and message on one line, then detail and hint. */
static Err on_notice(PgScreen *s, Bytes body, Buf *out)
{
    Bytes fields[128] = { { 0 } };
    Reader r = reader_of(body);
    char severity[32];

    TRY(pg_screen_flush(s, out));
    for (;;) {
        uint8_t code;
        Bytes value;

        TRY(reader_u8(&r, &code));
        if (code == 0)
            break;
        TRY(reader_string(&r, &value));
        if (code < COUNT_OF(fields))
            fields[code] = value;
    }
    const Bytes shown = bytes_upto(fields['S'], fields['S'].len < 31 ? fields['S'].len : 31);
    memcpy(severity, shown.len > 0 ? (const char *)shown.ptr : "", shown.len);
    severity[shown.len] = '\0';
    TRY(field_line(severity, fields['M'], out));
    if (fields['D'].len > 0)
        TRY(field_line("DETAIL", fields['D'], out));
    return fields['H'].len > 0 ? field_line("HINT", fields['H'], out) : OK;
}

static Err on_copy_data(PgScreen *s, Bytes body, Buf *out)
{
    (void)s;
    return screen_lines(body, out);
}

typedef Err OnMessage(PgScreen *s, Bytes body, Buf *out);

static const struct {
    uint8_t tag;
    OnMessage *show;
} MESSAGES_SHOWN[] = {
    { 'T', on_row_description }, { 'D', on_data_row }, { 'C', on_complete },
    { 'E', on_notice },          { 'N', on_notice },   { 'd', on_copy_data },
};

static Err show_message(PgScreen *s, const PgFrame *f, Buf *out)
{
    for (size_t i = 0; i < COUNT_OF(MESSAGES_SHOWN); i++)
        if (MESSAGES_SHOWN[i].tag == f->tag)
            return MESSAGES_SHOWN[i].show(s, f->body, out);
    return OK; /* nothing that a client shows */
}

Err pg_screen_feed(PgScreen *s, Bytes wire, Buf *out)
{
    PgFrame f;

    TRY(buf_append(&s->wire, wire));
    for (;;) {
        const Err err = pg_frame_next(buf_view(&s->wire), PG_TAGGED, WIRE_MAX, &f);

        if (err == ERR_MORE)
            return OK;
        TRY(err);
        TRY(show_message(s, &f, out));
        buf_consume(&s->wire, f.size);
    }
}
