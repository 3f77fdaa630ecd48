/* The rows of COPY: what is written is what the server would write, and reads as what it was. */
#include "proto/pg/pg_copy.h"
#include "proto/pg/pg_copy_read.h"

#include "base/text.h"
#include "test.h"

#include <stdlib.h>
#include <string.h>

static const CopyForm TEXT = { .delimiter = '\t', .null = LIT_INIT("\\N") };
static const CopyForm BARS = { .delimiter = '|', .null = LIT_INIT("NULL") };
static const CopyForm CSV = { .format = COPY_CSV, .delimiter = ',', .quote = '"', .escape = '"' };
static const CopyForm ODD_CSV = {
    .format = COPY_CSV, .delimiter = ';', .quote = '\'', .escape = '\\', .null = LIT_INIT("x")
};
static const CopyForm BINARY = { .format = COPY_BINARY };

static const CopyForm *const FORMS[] = { &TEXT, &BARS, &CSV, &ODD_CSV, &BINARY };

typedef struct Reading {
    const CopyForm *form;
    Bytes data;
    const char *fields; /* each with a bar behind it */
    Err ends;           /* ERR_MORE: all of it was read */
} Reading;

#define HEAD "PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0"

static const Reading READINGS[] = {
    { &TEXT, LIT_INIT("a\tb\nc\t\\N\n"), "a|b|c|N|", ERR_MORE },
    { &TEXT, LIT_INIT("a\\tb\\\\\t\\342\\226\\222\n"), "a\tb\\|\xE2\x96\x92|", ERR_MORE },
    { &TEXT, LIT_INIT("\\xE2\\x96\\x92\\x4\\xg\t\\1018\\7\n"), "\xE2\x96\x92\x04xg|A8\a|",
      ERR_MORE },
    { &TEXT, LIT_INIT("a\\\nb\r\n"), "a\nb||", ERR_MORE },
    { &TEXT, LIT_INIT("last"), "last|", ERR_MORE },
    { &TEXT, LIT_INIT("last\\10"), "last\b|", ERR_MORE },
    { &BARS, LIT_INIT("a\\|b|c\n"), "a|b|c|", ERR_MORE },
    { &CSV, LIT_INIT("a,\"b,\"\"c\n\",d\"e\"f\n"), "a|b,\"c\n|def|", ERR_MORE },
    { &CSV, LIT_INIT("\"a\"\n"), "a|", ERR_MORE },
    { &CSV, LIT_INIT("a\\342\n"), "a\\342|", ERR_MORE },
    { &ODD_CSV, LIT_INIT("'a\\'b\\\\c\\d';e\n"), "a'b\\c\\d|e|", ERR_MORE },
    { &BINARY, LIT_INIT(HEAD "\0\2\0\0\0\1a\xff\xff\xff\xff\0\1\0\0\0\2bc\xff\xff"), "a|bc|",
      ERR_MORE },
    { &BINARY, LIT_INIT(HEAD "\0\0\0\1\0\0\0\0\xff\xff"), "|", ERR_MORE },
    { &BINARY, LIT_INIT(HEAD "\xff\xffx"), "", ERR_MALFORMED },
    { &BINARY, LIT_INIT("PGCOPY\n\xff\r\n\1\0\0\0\0\0\0\0\0"), "", ERR_MALFORMED },
    { &BINARY, LIT_INIT("PGCOPY\n\xff\r\n\0\0\1\0\0\0\0\0\0"), "", ERR_MALFORMED },
    { &BINARY, LIT_INIT("PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\2xx\0\1\0\0\0\1a"), "a|", ERR_MORE },
    { &BINARY, LIT_INIT("PGCOPY\n\xff\r\n\0\0\0\0\0\x7f\0\0\2"), "", ERR_LIMIT },
    { &BINARY, LIT_INIT(HEAD "\0\1\xff\xff\xff\xfe"), "", ERR_MALFORMED },
    { &BINARY, LIT_INIT(HEAD "\0\1\x02\0\0\0"), "", ERR_LIMIT },
    { &BINARY, LIT_INIT(HEAD "\x7f\0"), "", ERR_MALFORMED },
};

static void take(Buf *out, const Value *v)
{
    EXPECT(buf_append(out, v->bytes) == OK && buf_byte(out, '|') == OK);
}

/* In exact-size copies of `piece` bytes, so that a read past one is seen. */
static Err read_in_pieces(PgCopyRead *c, Bytes data, size_t piece, Buf *out)
{
    Err err = ERR_MORE;

    while (err == ERR_MORE && data.len > 0) {
        const size_t len = piece < data.len ? piece : data.len;
        uint8_t *copy = malloc(len);
        EXPECT(copy != NULL);
        memcpy(copy, data.ptr, len);
        Bytes rest = { copy, len };
        Value v;

        while ((err = pg_copy_read_next(c, &rest, &v)) == OK)
            take(out, &v);
        EXPECT(err != ERR_MORE || rest.len == 0);
        free(copy);
        data = bytes_from(data, len);
    }
    return err;
}

static void fields_are_what_copy_from_reads(void)
{
    for (size_t i = 0; i < COUNT_OF(READINGS); i++) {
        const Reading *t = &READINGS[i];

        for (size_t piece = 1; piece <= t->data.len; piece++) {
            CLEANUP(buf_done) Buf out = { 0 };
            PgCopyRead c = { 0 };
            Value last;

            buf_init(&out, 4096);
            pg_copy_read_init(&c, t->form);
            const Err err = read_in_pieces(&c, t->data, piece, &out);
            if (err == ERR_MORE && pg_copy_read_end(&c, &last))
                take(&out, &last);
            const Bytes expected = text_of(t->fields);
            if (err != t->ends || !text_eq(buf_view(&out), expected))
                fprintf(stderr, "reading %zu by %zu: %d, %.*s\n", i, piece, (int)err,
                        SHOW(buf_view(&out)));
            EXPECT(err == t->ends && text_eq(buf_view(&out), expected));
            pg_copy_read_done(&c);
        }
    }
}

static const Bytes VALUES[] = {
    LIT_INIT(""),
    LIT_INIT("plain"),
    LIT_INIT("\\."),
    LIT_INIT("a\tb\nc\rd\\e"),
    LIT_INIT("\\N"),
    LIT_INIT("NULL"),
    LIT_INIT("x"),
    LIT_INIT("q\"q'q|,;"),
    LIT_INIT("\b\f\v"),
    LIT_INIT("\1\x7f"),
    LIT_INIT("\xE2\x96\x92"),
    LIT_INIT("\\342\\x41"),
};

/* One row of all values and a NULL, as a DataRow has it. */
static void make_row(Buf *row)
{
    buf_init(row, 4096);
    EXPECT(buf_u16(row, COUNT_OF(VALUES) + 1) == OK);
    for (size_t i = 0; i < COUNT_OF(VALUES); i++)
        EXPECT(buf_u32(row, (uint32_t)VALUES[i].len) == OK && buf_append(row, VALUES[i]) == OK);
    EXPECT(buf_u32(row, UINT32_MAX) == OK);
}

static void write_all(const CopyForm *form, Bytes row, Buf *out)
{
    PgRun run = { .copy = form };
    Bytes names[COUNT_OF(VALUES) + 1] = { { 0 } };

    buf_init(&run.shape, 4096);
    buf_init(&run.copy_head, 4096);
    EXPECT(buf_zeros(&run.shape, sizeof(PgShapeColumn) * COUNT_OF(names)) == OK);
    EXPECT(pg_copy_head(&run, names, COUNT_OF(names)) == OK);
    EXPECT(pg_copy_row(&run, row, out) == OK && pg_copy_end(&run, out) == OK);
    buf_done(&run.shape);
    buf_done(&run.copy_head);
}

static void data_of(Bytes wire, Buf *out)
{
    while (wire.len > 0) {
        const size_t size = 1 + ((size_t)wire.ptr[3] << 8 | wire.ptr[4]);

        if (wire.ptr[0] == 'd')
            EXPECT(buf_append(out, bytes_from(bytes_upto(wire, size), 5)) == OK);
        wire = bytes_from(wire, size);
    }
}

static void what_is_written_reads_as_it_was(void)
{
    for (size_t f = 0; f < COUNT_OF(FORMS); f++) {
        CLEANUP(buf_done) Buf row = { 0 }, wire = { 0 }, data = { 0 };
        PgCopyRead c = { 0 };
        Value v;

        buf_init(&wire, 8192);
        buf_init(&data, 8192);
        make_row(&row);
        write_all(FORMS[f], buf_view(&row), &wire);
        data_of(buf_view(&wire), &data);
        pg_copy_read_init(&c, FORMS[f]);
        Bytes rest = buf_view(&data);
        for (size_t i = 0; i < COUNT_OF(VALUES); i++) {
            EXPECT(pg_copy_read_next(&c, &rest, &v) == OK);
            if (!text_eq(v.bytes, VALUES[i]))
                fprintf(stderr, "form %zu value %zu: %.*s\n", f, i, SHOW(v.bytes));
            EXPECT(text_eq(v.bytes, VALUES[i]));
        }
        pg_copy_read_done(&c);
    }
}

int main(void)
{
    TEST(fields_are_what_copy_from_reads);
    TEST(what_is_written_reads_as_it_was);
    return 0;
}
