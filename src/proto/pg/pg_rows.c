#include "proto/pg/pg_rows.h"

#include "base/reader.h"
#include "proto/pg/pg_copy.h"
#include "proto/pg/pg_write.h"

enum {
    COLUMNS_MAX = 1664, /* MaxTupleAttributeNumber: more cannot be selected */
    NO_TYPMOD = -1,
};

static Err read_column(Reader *r, WireColumn *ret)
{
    uint32_t oid, type, typmod;
    uint16_t attnum, typlen, format;

    TRY(reader_string(r, &ret->name));
    TRY(reader_u32(r, &oid));
    TRY(reader_u16(r, &attnum));
    TRY(reader_u32(r, &type));
    TRY(reader_u16(r, &typlen));
    TRY(reader_u32(r, &typmod));
    TRY(reader_u16(r, &format));
    if (format > 1)
        return ERR_MALFORMED;
    ret->column = (ColumnRef){ oid, (int16_t)attnum };
    ret->type_oid = type;
    ret->typmod = (int32_t)typmod;
    ret->binary = format == 1;
    return OK;
}

static Err read_columns(Bytes body, Buf *columns)
{
    Reader r = reader_of(body);
    uint16_t count;

    TRY(reader_u16(&r, &count));
    if (count > COLUMNS_MAX)
        return ERR_MALFORMED;
    for (uint16_t i = 0; i < count; i++) {
        WireColumn c;

        TRY(read_column(&r, &c));
        TRY(buf_append(columns, VIEW(c)));
    }
    return reader_at_end(&r) ? OK : ERR_MALFORMED;
}

/* A masked text no longer fits varchar(n): the driver must not believe it does. */
static bool keeps_typmod(const ColumnMask *mask)
{
    return mask->method == MASK_CLEAR || mask->method == MASK_NULL || mask->method == MASK_YEAR;
}

static Err write_columns(const Bytes body, const WireColumn *columns, const ColumnMask *masks,
                         Buf *out)
{
    const size_t start = buf_len(out);
    Reader r = reader_of(body);
    uint16_t count;

    TRY(pg_message(out, 'T', body));
    TRY(reader_u16(&r, &count));
    for (uint16_t i = 0; i < count; i++) {
        static const uint8_t NONE[4] = { 0xff, 0xff, 0xff, 0xff };
        WireColumn c;

        TRY(read_column(&r, &c));
        /* The typmod stands 6 bytes before the end of the column; 5 bytes of header. */
        const size_t end = 5 + body.len - r.rest.len;
        if (!keeps_typmod(&masks[i]) && columns[i].typmod != NO_TYPMOD)
            buf_patch(out, start + end - 6, VIEW(NONE));
    }
    return OK;
}

static Err name_columns(PgRun *run, const WireColumn *columns, size_t count)
{
    CLEANUP(buf_done) Buf names = { 0 };

    buf_init(&names, (COLUMNS_MAX + 1) * sizeof(Bytes));
    for (size_t i = 0; i < count; i++)
        TRY(buf_append(&names, VIEW(columns[i].name)));
    return pg_copy_head(run, (const void *)buf_view(&names).ptr, count);
}

static Err keep_shape(PgRun *run, const WireColumn *columns, const ColumnMask *masks, size_t count)
{
    run->has_shape = false;
    buf_truncate(&run->shape, 0);
    for (size_t i = 0; i < count; i++) {
        const PgShapeColumn c = {
            .mask = masks[i],
            .type_oid = columns[i].type_oid,
            .typmod = columns[i].typmod,
            .binary = columns[i].binary,
        };
        TRY(buf_append(&run->shape, VIEW(c)));
    }
    if (run->copy != NULL)
        TRY(name_columns(run, columns, count));
    run->has_shape = true;
    return OK;
}

Err pg_rows_shape(Pg *pg, PgRun *run, bool keep, Bytes body, Buf *out)
{
    CLEANUP(buf_done) Buf columns_mem = { 0 }, masks_mem = { 0 };

    buf_init(&columns_mem, (COLUMNS_MAX + 1) * sizeof(WireColumn));
    buf_init(&masks_mem, (COLUMNS_MAX + 1) * sizeof(ColumnMask));
    TRY(read_columns(body, &columns_mem));
    const WireColumn *columns = (const void *)buf_view(&columns_mem).ptr;
    const size_t count = buf_len(&columns_mem) / sizeof *columns;
    TRY(buf_zeros(&masks_mem, (count + 1) * sizeof(ColumnMask)));
    ColumnMask *masks = (void *)(masks_mem.mem + masks_mem.start);

    const RowSource source = { run->judged, run->statement };
    TRY(pg->ports.plan(pg->ports.ctx, &source, columns, count, masks));
    if (keep)
        TRY(keep_shape(run, columns, masks, count));
    return write_columns(body, columns, masks, out);
}

/* Length, then value; a length is filled in when the mask has written its value. */
static Err put_cell(Pg *pg, const PgShapeColumn *column, Bytes value, Buf *out)
{
    const Cell cell = { &column->mask, column->type_oid, column->typmod, column->binary, value };
    const size_t at = buf_len(out);
    bool is_null = false;

    if (column->mask.method == MASK_WITHHOLD)
        return ERR_REFUSED; /* a forgotten mask */
    TRY(buf_u32(out, 0));
    TRY(pg->ports.mask(pg->ports.ctx, &cell, out, &is_null));
    const uint32_t len = is_null ? UINT32_MAX : (uint32_t)(buf_len(out) - at - 4);
    const uint8_t raw[] = { (uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8),
                            (uint8_t)len };
    if (is_null)
        buf_truncate(out, at + 4);
    buf_patch(out, at, VIEW(raw));
    return OK;
}

/* Runs of untouched cells are copied as one piece: most rows are one piece. */
static Err put_cells(Pg *pg, PgRun *run, Reader *r, uint16_t count, Buf *out)
{
    const PgShapeColumn *columns = (const void *)buf_view(&run->shape).ptr;
    Bytes clear = { r->rest.ptr, 0 };

    for (uint16_t i = 0; i < count; i++) {
        const size_t before = r->rest.len;
        uint32_t len;
        Bytes value = { 0 };

        TRY(reader_u32(r, &len));
        if (len != UINT32_MAX)
            TRY(reader_bytes(r, len, &value));
        if (len == UINT32_MAX || columns[i].mask.method == MASK_CLEAR) {
            clear.len += before - r->rest.len;
            continue;
        }
        TRY(buf_append(out, clear));
        TRY(put_cell(pg, &columns[i], value, out));
        run->receipt.cells_masked++;
        clear = (Bytes){ r->rest.ptr, 0 };
    }
    TRY(buf_append(out, clear));
    return reader_at_end(r) ? OK : ERR_MALFORMED;
}

Err pg_rows_row(Pg *pg, PgRun *run, Bytes body, Buf *out)
{
    Reader r = reader_of(body);
    const size_t start = buf_len(out);
    uint16_t count;
    size_t mark;

    TRY(reader_u16(&r, &count));
    if (!run->has_shape || count != buf_len(&run->shape) / sizeof(PgShapeColumn))
        return ERR_MALFORMED;
    TRY(pg_open(out, 'D', &mark));
    TRY(buf_u16(out, count));
    const Err err = put_cells(pg, run, &r, count, out);
    if (err != OK) {
        buf_truncate(out, start);
        return err;
    }
    pg_close(out, mark);
    run->receipt.rows++;
    run->receipt.bytes += buf_len(out) - start;
    return OK;
}
