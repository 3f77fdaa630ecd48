/* sql_look_time SCHEMA: the time and memory of the heaviest texts that the bounds let through. */
#include "base/buf.h"
#include "base/text.h"
#include "lang/sql/sql_bounds.h"
#include "schema_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static const struct {
    const char *name, *head, *unit, *tail;
} SHAPES[] = {
    { "terms", "select 1", "+1", "" },
    { "nots", "select ", "not ", "true" },
    { "minus", "select ", "- ", "a" },
    { "parens", "select ", "(", "1" },
    { "casts", "select 1", "::int", "" },
    { "unions", "select 1,2", " union select 1,2", "" },
    { "union all", "select 1", " union all select 1", "" },
    { "ands", "select 1 where true", " and ssn = 'a'", "" },
    { "sub-selects", "select * from ", "(select * from ", "patient" },
    { "sub-links", "select ", "(select ", "1" },
    { "joins", "select * from patient", " join patient on true", "" },
    { "natural", "select 1 from patient a", " natural join patient", "" },
    { "from list", "select 1 from patient", ",patient", "" },
    { "star list", "select *", ",*", " from patient" },
    { "columns", "select ssn", ",ssn", " from patient" },
    { "constants", "select 1", ",1", "" },
    { "in list", "select 1 from patient where ssn in ('a'", ",'a'", ")" },
    { "rows", "insert into doctor values (1,'a')", ",(1,'a')", "" },
    { "statements", "select 1", ";select 1", "" },
    { "multi-assign", "update doctor set (a", ",a", ") = (1,2,3)" },
    { "nested multi", "", "update doctor set (id,name) = (with x as (", "select 1" },
    { "ctes", "with a as (select 1)", ",a as (select 1)", " select 1" },
    { "chained ctes", "with a as (select ssn from patient)", ",a as (select * from a)",
      " select * from a" },
    { "cases", "select ", "case when 1=1 then ", "1" },
    { "functions", "select ", "upper(", "ssn" },
    { "arrays", "select ", "array[", "1" },
    { "indirection", "select (a)", ".a", "" },
    { "comments", "select 1", "/**/", "" },
    { "sub-links flat", "select (select ssn from patient)", ",(select ssn from patient)", "" },
};

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static Bytes build(size_t i, size_t units, Buf *b)
{
    const Bytes unit = text_of(SHAPES[i].unit);

    buf_truncate(b, 0);
    if (buf_append(b, text_of(SHAPES[i].head)) != OK)
        exit(3);
    for (size_t k = 0; k < units; k++)
        if (buf_append(b, unit) != OK)
            exit(3);
    if (buf_append(b, text_of(SHAPES[i].tail)) != OK)
        exit(3);
    for (size_t k = 0; k < units && text_find(unit, LIT("(")) < unit.len; k++)
        if (text_find(unit, LIT(")")) == unit.len && buf_append(b, LIT(")")) != OK)
            exit(3);
    for (size_t k = 0; k < units && text_find(unit, LIT("case")) < unit.len; k++)
        if (buf_append(b, LIT(" end")) != OK)
            exit(3);
    for (size_t k = 0; k < units && text_find(unit, LIT("[")) < unit.len; k++)
        if (buf_append(b, LIT("]")) != OK)
            exit(3);
    return buf_view(b);
}

static void run(const SqlContext *ctx, size_t shape, bool loop)
{
    size_t low = 1, high = 1 << 20;
    const Meaning *m = NULL;
    SqlBounds bounds;
    Arena arena;
    Buf b;

    buf_init(&b, 32 << 20);
    while (low + 1 < high) { /* the most units that pass */
        const size_t mid = (low + high) / 2;
        const Err err = mid * strlen(SHAPES[shape].unit) > (2 << 20)
                            ? ERR_LIMIT
                            : sql_bounds(build(shape, mid, &b), &bounds);

        if (err == OK && (!loop || bounds.on_loop))
            low = mid;
        else
            high = mid;
    }
    const Bytes text = build(shape, low, &b);
    const double start = seconds();
    const Err bounded = sql_bounds(text, &bounds);
    const double middle = seconds();

    arena_init(&arena, 64 << 20);
    const Err err = sql_look(ctx, text, &arena, &m);
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    printf("%-5s %-14s %7zu bytes %6zu open %7zu weight  lex %7.2f ms  look %8.2f ms  arena %6zu "
           "KiB  peak %4ld MiB  %d %s\n",
           loop ? "loop" : "max", SHAPES[shape].name, text.len, bounds.open_tokens, bounds.weight,
           (middle - start) * 1e3, (seconds() - middle) * 1e3, arena.used >> 10,
           usage.ru_maxrss >> 10, (int)bounded,
           err != OK       ? "ERR_LIMIT"
           : m->understood ? "understood"
                           : m->why_not);
    fflush(stdout);
    arena_done(&arena);
    buf_done(&b);
}

int main(int argc, char **argv)
{
    static uint8_t schema_text[8 << 20];
    SchemaText schema;
    Arena arena;
    FILE *f = argc > 1 ? fopen(argv[1], "rb") : NULL;

    if (f == NULL)
        return 2;
    arena_init(&arena, 256 << 20);
    schema_text_read((Bytes){ schema_text, fread(schema_text, 1, sizeof schema_text, f) }, &arena,
                     &schema);
    fclose(f);
    for (int loop = 1; loop >= 0; loop--)
        for (size_t i = 0; i < COUNT_OF(SHAPES); i++)
            if (argc < 3 || strcmp(argv[2], SHAPES[i].name) == 0)
                run(&schema.ctx, i, loop);
    arena_done(&arena);
    return 0;
}
