#include "proto/pg/pg_copy.h"

#include "base/reader.h"
#include "base/text.h"
#include "proto/pg/pg_write.h"

static const Bytes SIGNATURE = LIT_INIT("PGCOPY\n\xff\r\n\0");

static const Statement *copy_of(const Judged *judged, StatementKind kind)
{
    const Meaning *m = judged != NULL ? judged->meaning : NULL;
    const Statement *s = m != NULL && m->statement_count == 1 ? &m->statements[0] : NULL;

    return s != NULL && s->kind == kind && s->copy != NULL ? s : NULL;
}

const Statement *pg_copy_out(const Judged *judged)
{
    return copy_of(judged, STATEMENT_COPY_TO);
}

const Statement *pg_copy_in(const Judged *judged)
{
    return copy_of(judged, STATEMENT_COPY_FROM);
}

/* --- fields --------------------------------------------------------------------------------- */

/* The letter behind the backslash; 0: the byte stands for itself. */
static uint8_t escaped(const CopyForm *f, uint8_t c)
{
    switch (c) {
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    case '\v':
        return 'v';
    default:
        return c == '\\' || c == f->delimiter ? c : 0;
    }
}

/* CopyAttributeOutText(). What stands for itself is copied in one piece. */
static Err put_text(const CopyForm *f, Bytes value, Buf *out)
{
    size_t from = 0;

    for (size_t i = 0; i < value.len; i++) {
        const uint8_t letter = escaped(f, value.ptr[i]);

        if (letter == 0)
            continue;
        TRY(buf_append(out, bytes_upto(bytes_from(value, from), i - from)));
        TRY(buf_byte(out, '\\'));
        TRY(buf_byte(out, letter));
        from = i + 1;
    }
    return buf_append(out, bytes_from(value, from));
}

static bool needs_quotes(const CopyForm *f, bool alone, Bytes value)
{
    if (text_eq(value, f->null) || (alone && text_eq(value, LIT("\\."))))
        return true;
    for (size_t i = 0; i < value.len; i++) {
        const uint8_t c = value.ptr[i];

        if (c == f->delimiter || c == f->quote || c == '\n' || c == '\r')
            return true;
    }
    return false;
}

/* CopyAttributeOutCSV(). */
static Err put_csv(const CopyForm *f, bool quoted, Bytes value, Buf *out)
{
    size_t from = 0;

    if (!quoted)
        return buf_append(out, value);
    TRY(buf_byte(out, f->quote));
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] != f->quote && value.ptr[i] != f->escape)
            continue;
        TRY(buf_append(out, bytes_upto(bytes_from(value, from), i - from)));
        TRY(buf_byte(out, f->escape));
        from = i;
    }
    TRY(buf_append(out, bytes_from(value, from)));
    return buf_byte(out, f->quote);
}

static Err put_field(const CopyForm *f, bool quoted, bool alone, Bytes value, Buf *out)
{
    if (f->format == COPY_CSV)
        return put_csv(f, quoted || needs_quotes(f, alone, value), value, out);
    return put_text(f, value, out);
}

/* --- rows ------------------------------------------------------------------------------------- */

static bool is_quoted(const CopyForm *f, Bytes name)
{
    for (size_t i = 0; i < f->quoted_count; i++)
        if (text_eq(f->quoted[i], name))
            return true;
    return f->quote_all;
}

static Err put_header(PgRun *run, const Bytes *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            TRY(buf_byte(&run->copy_head, run->copy->delimiter));
        TRY(put_field(run->copy, false, count == 1, names[i], &run->copy_head));
    }
    return buf_byte(&run->copy_head, '\n');
}

Err pg_copy_head(PgRun *run, const Bytes *names, size_t count)
{
    PgShapeColumn *columns = (void *)(run->shape.mem + run->shape.start);

    buf_truncate(&run->copy_head, 0);
    for (size_t i = 0; i < count; i++)
        columns[i].quoted = is_quoted(run->copy, names[i]);
    if (run->copy->format != COPY_BINARY)
        return run->copy->header ? put_header(run, names, count) : OK;
    TRY(buf_append(&run->copy_head, SIGNATURE));
    TRY(buf_u32(&run->copy_head, 0));   /* no flags */
    return buf_u32(&run->copy_head, 0); /* no header extension */
}

/* CopyOutResponse and a header line; the binary signature shares the first message behind it. */
static Err begin(PgRun *run, Buf *out)
{
    const uint16_t binary = run->copy->format == COPY_BINARY;
    const size_t count = buf_len(&run->shape) / sizeof(PgShapeColumn);
    size_t mark;

    if (run->copying)
        return OK;
    run->copying = true;
    TRY(pg_open(out, 'H', &mark));
    TRY(buf_byte(out, (uint8_t)binary));
    TRY(buf_u16(out, (uint16_t)count));
    for (size_t i = 0; i < count; i++)
        TRY(buf_u16(out, binary));
    pg_close(out, mark);
    if (binary || buf_len(&run->copy_head) == 0)
        return OK;
    TRY(pg_message(out, 'd', buf_view(&run->copy_head)));
    buf_truncate(&run->copy_head, 0);
    return OK;
}

static Err put_fields(const PgRun *run, Bytes row, Buf *out)
{
    const PgShapeColumn *columns = (const void *)buf_view(&run->shape).ptr;
    Reader r = reader_of(row);
    uint16_t count;

    TRY(reader_u16(&r, &count));
    for (uint16_t i = 0; i < count; i++) {
        uint32_t len;
        Bytes value = run->copy->null;

        if (i > 0)
            TRY(buf_byte(out, run->copy->delimiter));
        TRY(reader_u32(&r, &len));
        if (len == UINT32_MAX) {
            TRY(buf_append(out, value));
            continue;
        }
        TRY(reader_bytes(&r, len, &value));
        TRY(put_field(run->copy, columns[i].quoted, count == 1, value, out));
    }
    return buf_byte(out, '\n');
}

/* A tuple of the binary format is the body of a DataRow. */
static Err put_tuple(PgRun *run, Bytes tuple, Buf *out)
{
    TRY(buf_append(out, buf_view(&run->copy_head)));
    buf_truncate(&run->copy_head, 0);
    return buf_append(out, tuple);
}

Err pg_copy_row(PgRun *run, Bytes row, Buf *out)
{
    size_t mark;

    TRY(begin(run, out));
    TRY(pg_open(out, 'd', &mark));
    TRY(run->copy->format == COPY_BINARY ? put_tuple(run, row, out) : put_fields(run, row, out));
    pg_close(out, mark);
    return OK;
}

Err pg_copy_end(PgRun *run, Buf *out)
{
    static const uint8_t TRAILER[] = { 0xff, 0xff };
    size_t mark;

    TRY(begin(run, out));
    if (run->copy->format == COPY_BINARY) {
        TRY(pg_open(out, 'd', &mark));
        TRY(put_tuple(run, VIEW(TRAILER), out));
        pg_close(out, mark);
    }
    run->copying = false;
    return pg_message(out, 'c', (Bytes){ 0 });
}
