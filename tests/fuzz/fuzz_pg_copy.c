/* The first byte chooses the form. Cuts do not matter, each call makes progress, and a value that
 * is written reads as it was. */
#include "base/text.h"
#include "proto/pg/pg_copy.h"
#include "proto/pg/pg_copy_read.h"

#include <stdlib.h>
#include <string.h>

static const CopyForm FORMS[] = {
    { .delimiter = '\t', .null = LIT_INIT("\\N") },
    { .format = COPY_CSV, .delimiter = ',', .quote = '"', .escape = '"' },
    { .format = COPY_CSV, .delimiter = ';', .quote = '\'', .escape = '\\', .null = LIT_INIT("x") },
    { .format = COPY_BINARY },
};

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static void must(bool fact)
{
    if (!fact)
        abort();
}

static Err read_all(const CopyForm *form, Bytes data, size_t piece, Buf *out)
{
    PgCopyRead c = { 0 };
    Err err = ERR_MORE;
    Value v;

    pg_copy_read_init(&c, form);
    while (err == ERR_MORE && data.len > 0) {
        const size_t len = piece < data.len ? piece : data.len;
        uint8_t *copy = malloc(len);

        must(copy != NULL);
        memcpy(copy, data.ptr, len);
        Bytes rest = { copy, len };
        for (size_t left = len + 1; (err = pg_copy_read_next(&c, &rest, &v)) == OK; left--)
            must(left > 0 && buf_append(out, v.bytes) == OK && buf_byte(out, 0) == OK);
        must(err != ERR_MORE || rest.len == 0);
        free(copy);
        data = bytes_from(data, len);
    }
    if (err == ERR_MORE && pg_copy_read_end(&c, &v))
        must(buf_append(out, v.bytes) == OK);
    pg_copy_read_done(&c);
    return err;
}

static void write_and_read(const CopyForm *form, Bytes value)
{
    PgRun run = { .copy = form };
    PgCopyRead c = { 0 };
    Buf row, out;
    Value v;

    buf_init(&row, 1 << 20);
    buf_init(&out, 4 << 20);
    buf_init(&run.shape, 4096);
    buf_init(&run.copy_head, 4096);
    must(buf_u16(&row, 1) == OK && buf_u32(&row, (uint32_t)value.len) == OK);
    must(buf_append(&row, value) == OK && buf_zeros(&run.shape, sizeof(PgShapeColumn)) == OK);
    must(pg_copy_head(&run, &value, 1) == OK && pg_copy_row(&run, buf_view(&row), &out) == OK);
    pg_copy_read_init(&c, form);
    const size_t response = 5 + 1 + 2 + 2; /* CopyOutResponse of one column */
    Bytes rest = bytes_from(buf_view(&out), response + 5);
    must(pg_copy_read_next(&c, &rest, &v) == OK && text_eq(v.bytes, value));
    pg_copy_read_done(&c);
    buf_done(&row);
    buf_done(&out);
    buf_done(&run.shape);
    buf_done(&run.copy_head);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    Buf whole, pieces;

    if (size < 2 || size > 1 << 16)
        return 0;
    const CopyForm *form = &FORMS[input[0] % COUNT_OF(FORMS)];
    const Bytes data = { input + 1, size - 1 };
    buf_init(&whole, 1 << 20);
    buf_init(&pieces, 1 << 20);
    const Err err = read_all(form, data, data.len, &whole);
    must(read_all(form, data, 1 + input[0] / COUNT_OF(FORMS) % 7, &pieces) == err);
    must(text_eq(buf_view(&whole), buf_view(&pieces)));
    write_and_read(form, data);
    buf_done(&whole);
    buf_done(&pieces);
    return 0;
}
