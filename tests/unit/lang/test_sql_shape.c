/* A meaning that was remade from another text's must be the one that the parser would have given.
 */
#include "../test.h"
#include "base/text.h"
#include "lang/sql/sql_shape.h"
#include "look_case.h"

#include <string.h>

enum { SIBLINGS = 24 };

static const char *const TEXTS[] = {
    "select ssn from patient where id = 7",
    "select ssn from patient where id=7",
    "select p.ssn x, 'a' as y from patient p where p.city = 'it''s' and p.id in (1, 22, 333) limit "
    "5",
    "select count(*) from patient where ssn like '1%' escape '!' offset 3",
    "select upper(ssn) || '-' || left(ssn, 3) from patient where '1' = ssn and city = 'x'",
    "select case when ssn = '1' then 1 else 22 end from patient order by ssn, id",
    "with a as (select ssn from patient where id = 4) select * from a where ssn = '4'",
    "select id from patient where ssn = '123'::text and id = '5'::int4",
    "select cast('x' as text), ssn::varchar(10) from patient",
    "select date '2020-01-01', interval '1 day', ssn from patient where dob < date '1990-01-01'",
    "select 'a', ssn from patient union all select 'b', city from patient where id = 9",
    "select id, rank() over (partition by city order by ssn rows 3 preceding) from patient",
    "select x.ssn from (select ssn, 1 as one from patient limit 3) x where one = 1",
    "select id from patient where ssn = 'a' /* 7 'b' */ and city = 'c' -- 8 'd'\n and id = 1",
    "select id from patient where (ssn, city) = ('1', 'x')",
    "select id from patient where ssn = any (array['1', '2'])",
    "select id from patient where id between 1 and 9 and city similar to 'a%'",
    "select id from patient where id = 1; select ssn from patient where id = 22; ",
    "insert into patient (id, ssn) values (1, '123'), (22, $1)",
    "update patient set (ssn, city) = row('x', $3) where ssn in ('a', $1)",
    "update patient set ssn = 'x', city = 'y' where id = 1 returning id, ssn",
    "update patient set city = 'a' || city where id = 007",
    "delete from patient where ssn = '1' or id = 3",
    "insert into patient (id, ssn) values (5, 'a') on conflict (id) do update set ssn = 'b'",
    "merge into patient p using (select 1 as n) s on p.id = s.n when matched then update set ssn = "
    "'x'",
    "select N'abc', 'tail'",
    "select \"id\" from patient where \"ssn\" = '1'and id=2",
    "select 1",
};

/* No shape, or a meaning that speaks for its own text only. */
static const char *const ALONE[] = {
    "select ssn from patient", /* nothing to differ in */
    "select ssn, city from patient where id = 1 order by 2",
    "select city, count(*) from patient where id > 3 group by 1",
    "select distinct on (1) ssn, city from patient where id = 4",
    "select id from patient where id = -5", /* reported with its sign */
    "select set_config('search_path', 'public', false)",
    "select current_setting('work_mem')",
    "set work_mem = '4MB'",
    "show work_mem",
    "prepare q as select ssn from patient where id = 7",
    "declare c cursor for select ssn from patient where id = 7",
    "explain select ssn from patient where id = 7",
    "execute q (7)",
    "copy patient (id) to stdout (format csv, delimiter ';')",
    "select ssn::float(24) from patient",
    "select ssn::float /* 1 */ (24) from patient",
    "select nosuch from patient where id = 1",
    "select id from nosuch where id = 1",
    "create table t (a int default 5)",
    "select id from patient where city = U&'\\0061'",
    "select id from patient where city = 'open",
};

static Err shape_of(Bytes text, Buf *key, LangShape *ret)
{
    buf_init(key, 1 << 20);
    return sql_shape(text, key, ret);
}

/* --- siblings ----------------------------------------------------------------------------------
 */

static uint32_t seed = 20261123;

static uint32_t random_below(uint32_t n)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % n;
}

static Err put_string(Buf *out)
{
    static const char *const PIECES[] = {
        "a", "1", "''", " ", "\n", "\\", "\"", "%", "$1", "--", "/*", "\xc3\xa9", ";", "E", "null",
    };

    TRY(buf_byte(out, '\''));
    for (uint32_t i = random_below(9); i > 0; i--)
        TRY(buf_append(out, text_of(PIECES[random_below(COUNT_OF(PIECES))])));
    return buf_byte(out, '\'');
}

static Err put_number(Buf *out)
{
    for (uint32_t i = 1 + random_below(9); i > 0; i--)
        TRY(buf_byte(out, (uint8_t)('0' + random_below(10))));
    return OK;
}

static Err put_sibling(Bytes text, const LangShape *shape, Buf *out)
{
    size_t at = 0;

    for (size_t i = 0; i < shape->count; i++) {
        const LangLiteral *l = &shape->literals[i];

        TRY(buf_append(out, bytes_upto(bytes_from(text, at), l->start - at)));
        TRY(text.ptr[l->start] == '\'' ? put_string(out) : put_number(out));
        at = l->end;
    }
    return buf_append(out, bytes_from(text, at));
}

/* --- the same?
 * ------------------------------------------------------------------------------------ */

static bool same_statement(const Statement *a, const Statement *b)
{
    bool same = a->kind == b->kind && a->effects == b->effects && a->start == b->start &&
                a->length == b->length && a->has_where == b->has_where &&
                a->analyze == b->analyze && a->outputs_known == b->outputs_known &&
                a->output_count == b->output_count && a->refers == b->refers &&
                text_eq(a->name, b->name) && text_eq(a->inner, b->inner) &&
                a->value_known == b->value_known && text_eq(a->value, b->value) &&
                a->set_local == b->set_local && a->chain == b->chain && a->holds == b->holds &&
                a->copy == NULL && b->copy == NULL && text_eq(a->runs, b->runs);

    for (size_t i = 0; same && i < a->output_count; i++)
        same = a->outputs[i].kind == b->outputs[i].kind &&
               column_ref_eq(a->outputs[i].column, b->outputs[i].column) &&
               text_eq(a->outputs[i].name, b->outputs[i].name);
    return same;
}

static bool same_use(const ColumnUse *a, const ColumnUse *b)
{
    return a->kind == b->kind && column_ref_eq(a->column, b->column) &&
           a->statement == b->statement && a->output == b->output && a->position == b->position;
}

static bool same_value(const ValueUse *a, const ValueUse *b)
{
    return a->kind == b->kind && column_ref_eq(a->column, b->column) &&
           a->parameter == b->parameter && text_eq(a->literal, b->literal) &&
           a->position == b->position;
}

static bool same_relation(const RelationUse *a, const RelationUse *b)
{
    return a->oid == b->oid && text_eq(a->schema, b->schema) && text_eq(a->name, b->name) &&
           a->effects == b->effects && a->statement == b->statement && a->position == b->position;
}

static bool same_meaning(const Meaning *a, const Meaning *b)
{
    bool same = a->understood && b->understood && a->unknown_count == 0 && b->unknown_count == 0 &&
                a->effects == b->effects && a->depends_on_literals == b->depends_on_literals &&
                a->statement_count == b->statement_count &&
                a->relation_count == b->relation_count && a->use_count == b->use_count &&
                a->value_count == b->value_count;

    for (size_t i = 0; same && i < a->statement_count; i++)
        same = same_statement(&a->statements[i], &b->statements[i]);
    for (size_t i = 0; same && i < a->relation_count; i++)
        same = same_relation(&a->relations[i], &b->relations[i]);
    for (size_t i = 0; same && i < a->use_count; i++)
        same = same_use(&a->uses[i], &b->uses[i]);
    for (size_t i = 0; same && i < a->value_count; i++)
        same = same_value(&a->values[i], &b->values[i]);
    return same;
}

static Err look(Bytes text, Arena *arena, const Meaning **ret)
{
    arena_init(arena, 16 << 20);
    return sql_look(&look_schema()->ctx, text, arena, ret);
}

static void check_sibling(Bytes text, const Meaning *m, const LangShape *shape, Bytes key)
{
    CLEANUP(buf_done) Buf sibling = { 0 };
    CLEANUP(buf_done) Buf own_key = { 0 };
    Arena full_arena CLEANUP(arena_done) = { 0 };
    Arena arena CLEANUP(arena_done) = { 0 };
    const LangModel model = { m, shape };
    const Meaning *full, *remade;
    LangShape own;

    buf_init(&sibling, 1 << 20);
    arena_init(&arena, 16 << 20);
    EXPECT(put_sibling(text, shape, &sibling) == OK);
    const Bytes other = buf_view(&sibling);

    EXPECT(shape_of(other, &own_key, &own) == OK && text_eq(buf_view(&own_key), key));
    EXPECT(look(other, &full_arena, &full) == OK);
    EXPECT(sql_shape_remake(&model, other, &own, &arena, &remade) == OK);
    if (!same_meaning(full, remade))
        fprintf(stderr, "of    %.*s\nmade  %.*s\n", SHOW(text), SHOW(other));
    EXPECT(same_meaning(full, remade));
}

/* True: it spoke for its shape. */
static bool check(Bytes text)
{
    Arena arena CLEANUP(arena_done) = { 0 };
    CLEANUP(buf_done) Buf key = { 0 };
    const Meaning *m;
    LangShape shape;

    EXPECT(look(text, &arena, &m) == OK);
    if (shape_of(text, &key, &shape) != OK || !sql_shape_speaks(m, text, &shape))
        return false;
    for (int i = 0; i < SIBLINGS; i++)
        check_sibling(text, m, &shape, buf_view(&key));
    return true;
}

static void remade_is_what_would_have_been_made(void)
{
    for (size_t i = 0; i < COUNT_OF(TEXTS); i++) {
        const bool spoke = check(text_of(TEXTS[i]));

        if (!spoke)
            fprintf(stderr, "does not speak: %s\n", TEXTS[i]);
        EXPECT(spoke);
    }
}

static void everyday_statements_too(void)
{
    Bytes rest = look_data("benign.sql");
    const Bytes mark = LIT("\n-- next --\n");
    size_t spoke = 0;

    while (rest.len > 0) {
        const size_t end = text_find(rest, mark);

        spoke += check(bytes_upto(rest, end));
        rest = bytes_from(rest, end < rest.len ? end + mark.len : end);
    }
    EXPECT(spoke >= 20);
}

static void some_speak_for_themselves_only(void)
{
    for (size_t i = 0; i < COUNT_OF(ALONE); i++) {
        const bool spoke = check(text_of(ALONE[i]));

        if (spoke)
            fprintf(stderr, "speaks: %s\n", ALONE[i]);
        EXPECT(!spoke);
    }
}

static bool same_shape(const char *a, const char *b)
{
    CLEANUP(buf_done) Buf key_a = { 0 };
    CLEANUP(buf_done) Buf key_b = { 0 };
    LangShape shape;

    return shape_of(text_of(a), &key_a, &shape) == OK &&
           shape_of(text_of(b), &key_b, &shape) == OK &&
           text_eq(buf_view(&key_a), buf_view(&key_b));
}

/* What looks like a literal to whoever cuts texts up by hand. */
static void shapes_differ(void)
{
    static const char *const PAIRS[][2] = {
        { "select 1, 'a'", "select 'a', 1" },
        { "select 1 where id = 1", "select 1 where id = 2147483648" },
        { "select 1 where id = 1", "select 1 where id = 1.5" },
        { "select 1 where id = 1", "select 1 where id = 1e5" },
        { "select 1 where x = 'a'", "select 1 where x = E'a'" },
        { "select 1 where x = 'a'", "select 1 where x = B'1'" },
        { "select 1 where x = 'a'", "select 1 where x = U&'a'" },
        { "select 1 where x = 'a'", "select 1 where x = $$a$$" },
        { "select 1 where x = 'a'", "select 1 where x = 'a'\n'b'" },
        { "select 1 where x = 'a'", "select 1 where x = \"a\"" },
        { "select 1 where x = 'a'", "select 1 where x = $1" },
        { "select 1 where x = 'a'", "select 1 where x  = 'a'" },
        { "select 1 where x = 'a'", "select 1 where x = 'a' or y = 'a'" },
        { "select 1 from a1 where x = 1", "select 1 from a2 where x = 1" },
        { "select 1 /* 1 */", "select 1 /* 2 */" },
        { "select 'a''b', 1", "select 'a' 'b', 1" },
        { "select 1 -- 'a'\n, 2", "select 1 -- 'b'\n, 2" },
    };

    for (size_t i = 0; i < COUNT_OF(PAIRS); i++)
        EXPECT(!same_shape(PAIRS[i][0], PAIRS[i][1]));
    EXPECT(same_shape("select 'a''b', 1", "select '', 000000022"));
}

static void bad_texts_have_none(void)
{
    CLEANUP(buf_done) Buf key = { 0 };
    LangShape shape;
    static char many[8 * LANG_LITERALS_MAX];
    size_t len = 0;

    buf_init(&key, 1 << 20);
    EXPECT(sql_shape((Bytes){ (const uint8_t *)"select 1\0, 2", 12 }, &key, &shape) != OK);
    EXPECT(sql_shape(LIT("select '\xff'"), &key, &shape) != OK);
    EXPECT(sql_shape(LIT("select '\xc3', '\xa9'"), &key, &shape) != OK);
    for (int i = 0; i <= LANG_LITERALS_MAX; i++)
        len += (size_t)snprintf(many + len, sizeof many - len, "%s1", i == 0 ? "select " : ",");
    EXPECT(sql_shape(text_of(many), &key, &shape) != OK);
    many[len - 2] = 0;
    EXPECT(sql_shape(text_of(many), &key, &shape) == OK && shape.count == LANG_LITERALS_MAX);
}

int main(void)
{
    TEST(remade_is_what_would_have_been_made);
    TEST(everyday_statements_too);
    TEST(some_speak_for_themselves_only);
    TEST(shapes_differ);
    TEST(bad_texts_have_none);
    return 0;
}
