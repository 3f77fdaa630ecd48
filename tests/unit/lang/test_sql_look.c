/* What is said of columns, one statement a line; and a column that cannot hide: wherever ssn
 * stands in a statement, some use of it is reported. */
#include "../test.h"
#include "base/text.h"
#include "look_case.h"

#include <string.h>

/* Uses as "kind relation.column", separated by "; ". "!" before one: must not be there.
 * "?" alone: not understood. */
static const struct {
    const char *statement, *uses;
} USES[] = {
    { "select ssn from patient",
      "output patient.ssn; !derived patient.ssn; !predicate patient.ssn" },
    { "select * from patient", "output patient.ssn; output patient.dob" },
    { "select p from patient p", "output patient.*" },
    { "select (p).ssn from patient p", "output patient.ssn" },
    { "select p.ssn x from (select * from patient) p", "output patient.ssn; !derived patient.ssn" },
    { "select count(*) from (select * from patient) p",
      "!predicate patient.ssn; !output patient.ssn" },
    { "select count(*) from (select upper(ssn) from patient) p", "predicate patient.ssn" },
    { "with a as (select ssn from patient) select 1", "!output patient.ssn" },
    { "select upper(ssn) from patient", "derived patient.ssn; !output patient.ssn" },
    { "select count(ssn) from patient", "counted patient.ssn; !derived patient.ssn" },
    { "select count(distinct ssn) from patient", "predicate patient.ssn; !counted patient.ssn" },
    { "select count(upper(ssn)) from patient", "derived patient.ssn" },
    { "select count(x) from (select case when ssn like '1%' then 1 end x from patient) s",
      "derived patient.ssn" },
    { "select count(ssn) filter (where ssn like '1%') from patient",
      "counted patient.ssn; predicate patient.ssn" },
    { "select ssn is null from patient", "counted patient.ssn; !derived patient.ssn" },
    { "select 1 from patient where ssn is not null",
      "counted patient.ssn; !predicate patient.ssn" },
    { "select 1 from patient where ssn = '1'", "equals patient.ssn; !predicate patient.ssn" },
    { "select 1 from patient where '1' = ssn and city = 'x'",
      "equals patient.ssn; equals patient.city" },
    { "select 1 from patient where ssn in ('1', $1)",
      "equals patient.ssn; !predicate patient.ssn" },
    { "select 1 from patient where ssn = any($1)", "equals patient.ssn" },
    { "select 1 from patient where ssn = any(array['1','2'])", "equals patient.ssn" },
    { "select 1 from patient where ssn = any('{1,2}')", "predicate patient.ssn" },
    { "select 1 from patient where ssn = '1' or true",
      "predicate patient.ssn; !equals patient.ssn" },
    { "select 1 from patient where not ssn = '1'", "predicate patient.ssn; !equals patient.ssn" },
    { "select 1 from patient where ssn <> '1'", "predicate patient.ssn" },
    { "select 1 from patient where ssn in ('1', upper('x'))", "predicate patient.ssn" },
    { "select 1 from patient where upper(ssn) = '1'", "predicate patient.ssn" },
    { "select 1 from patient p join doctor d on p.ssn = d.phone",
      "predicate patient.ssn; predicate doctor.phone" },
    { "select 1 from patient p join doctor d on p.ssn = '1'", "equals patient.ssn" },
    { "select ssn = '1' from patient", "derived patient.ssn" },
    { "select 1 from patient order by ssn", "predicate patient.ssn" },
    { "select ssn from patient order by 1", "predicate patient.ssn; output patient.ssn" },
    { "select ssn as k from patient order by k", "predicate patient.ssn" },
    { "select count(*) from patient group by ssn", "predicate patient.ssn" },
    { "select distinct ssn from patient", "predicate patient.ssn; output patient.ssn" },
    { "select row_number() over (partition by ssn) from patient", "predicate patient.ssn" },
    { "select row_number() over w from patient window w as (order by ssn)",
      "predicate patient.ssn" },
    { "select percentile_disc(0.5) within group (order by ssn) from patient",
      "derived patient.ssn" },
    { "select string_agg(city, ',' order by ssn) from patient",
      "predicate patient.ssn; derived patient.city" },
    { "select 1 limit (select length(ssn) from patient limit 1)", "predicate patient.ssn" },
    { "select ssn from patient union select phone from doctor",
      "derived patient.ssn; predicate patient.ssn; derived doctor.phone" },
    { "select ssn from patient union all select phone from doctor",
      "derived patient.ssn; !predicate patient.ssn" },
    { "select (select name from patient where ssn = '1')",
      "derived patient.name; equals patient.ssn; derived patient.ssn" },
    { "select exists (select 1 from patient where ssn like '1%')",
      "predicate patient.ssn; derived patient.ssn" },
    { "select 1 from doctor d where exists (select * from patient)", "!predicate patient.ssn" },
    { "select 1 from doctor where phone in (select ssn from patient)",
      "predicate patient.ssn; predicate doctor.phone" },
    { "select id from patient join (select ssn as name, id from patient) x using (name, id)",
      "predicate patient.ssn; predicate patient.name" },
    { "select name from patient full join (select ssn as name from patient) x using (name)",
      "derived patient.ssn; derived patient.name" },
    { "select code from v_patient", "output v_patient.code; output patient.ssn" },
    { "select secret from v_on_view", "output v_on_view.secret; output patient.ssn" },
    { "select u from v_computed", "output v_computed.u; derived patient.ssn" },
    { "select v from v_patient v", "output v_patient.*; output patient.ssn" },
    { "select count(*) from v_patient", "!output patient.ssn; !derived patient.ssn" },
    { "select 1 from v_patient where code like '1%'", "predicate patient.ssn" },
    { "select x from patient p, lateral (select p.ssn as x) s", "output patient.ssn" },
    { "select x from patient p, jsonb_build_object('a', p.ssn) x", "derived patient.ssn" },
    { "select g from patient p, unnest(array[p.ssn]) g", "derived patient.ssn" },
    { "select (select ssn from generate_series(1,1) g) from patient", "derived patient.ssn" },
    { "select (select ssn from unnest(array[1]) g) from patient", "derived patient.ssn" },
    { "select v.column1 from patient p, lateral (values (p.ssn)) v", "derived patient.ssn" },
    { "with recursive r as (select ssn, 1 as n from patient union all select n::text, 2 from r) "
      "select n from r",
      "derived patient.ssn; predicate patient.ssn" },
    { "insert into doctor (id, phone) select id, ssn from patient",
      "carried patient.ssn; written doctor.phone; !written doctor.city" },
    { "insert into doctor values (1, 'x')",
      "written doctor.id; written doctor.name; !written doctor.phone" },
    { "insert into patient (id) values (1) on conflict (id) do update set ssn = excluded.name",
      "written patient.ssn; carried patient.name" },
    { "insert into patient (id, name) values (1, (select ssn from patient limit 1))",
      "carried patient.ssn" },
    { "insert into doctor (id) values (1) returning phone", "output doctor.phone" },
    { "update patient set city = ssn", "written patient.city; carried patient.ssn" },
    { "update patient set (city, name) = (select ssn, note from patient limit 1)",
      "carried patient.ssn; carried patient.note; written patient.name" },
    { "update patient set city = 'x' where ssn = '1' returning dob",
      "equals patient.ssn; output patient.dob" },
    { "update v_patient set code = '1'", "written v_patient.code; written patient.ssn" },
    { "delete from patient where ssn like '1%'", "predicate patient.ssn" },
    { "merge into doctor d using patient p on p.ssn = d.phone when matched then update set name = "
      "p.note when not matched then insert (id, phone) values (p.id, p.ssn)",
      "predicate patient.ssn; carried patient.note; carried patient.ssn; written doctor.phone" },
    { "create table x as select ssn from patient", "carried patient.ssn; !output patient.ssn" },
    { "select ssn into x from patient", "carried patient.ssn; !output patient.ssn" },
    { "create view x as select ssn from patient", "carried patient.ssn" },
    { "create materialized view x as select upper(ssn) from patient", "carried patient.ssn" },
    { "alter table patient alter column city type text using ssn", "carried patient.ssn" },
    { "create index on patient (ssn)", "carried patient.ssn" },
    { "create index on patient (upper(ssn)) where ssn like '1%'", "carried patient.ssn" },
    { "create policy x on patient using (ssn like '1%')", "carried patient.ssn" },
    { "create rule x as on update to doctor do also select ssn from patient",
      "carried patient.ssn" },
    { "create trigger x before update on patient for each row when (new.ssn = old.ssn) execute "
      "function f()",
      "carried patient.ssn" },
    { "copy patient to stdout", "output patient.ssn" },
    { "copy patient (id, city) to stdout", "output patient.city; !output patient.ssn" },
    { "copy (select upper(ssn) from patient) to stdout", "derived patient.ssn" },
    { "copy patient (id, ssn) from stdin", "written patient.ssn; !written patient.city" },
    { "copy patient from stdin where ssn like '1%'", "predicate patient.ssn; written patient.ssn" },
    { "explain select 1 from patient where ssn < '2'", "predicate patient.ssn" },
    { "prepare q as select ssn from patient", "output patient.ssn" },
    { "declare c cursor for select ssn from patient", "output patient.ssn" },
    { "select p.* is null from patient p", "derived patient.*" },
    { "select row(p.*) from patient p", "derived patient.*" },
    { "select p::text from patient p", "derived patient.*" },
    { "select ssn(p) from patient p", "derived patient.*" },
    { "select count(p) from patient p", "counted patient.*" },
    { "select ctid, xmin from patient", "!output patient.ssn" },
    { "select xmlelement(name a, xmlattributes(ssn as b)) from patient", "derived patient.ssn" },
    { "select x.* from patient, xmltable('/a' passing xmlparse(document ssn) columns b text) x",
      "derived patient.ssn" },
    { "select p.lower from patient p", "?" },
    { "select nope from patient", "?" },
    { "update patient set city = 'x' returning old.ssn", "?" },
    { "select q.ssn from patient p", "?" },
    { "select p.ssn from patient", "?" },
    { "select * from patient p, (select p.ssn) x", "?" },
    { "select ssn from patient p, patient q", "?" },
    { "with a as (select * from b), b as (select 1) select * from a", "?" },
    { "select 1 from other.public.patient", "?" },
    { "selec 1", "?" },
    { "select 1; selec 2", "?" },
    { "select 0x10", "?" },
};

static bool kind_of(Bytes word, ColumnUseKind *ret)
{
    static const char *const NAMES[] = { "output",    "derived", "counted", "equals",
                                         "predicate", "written", "carried" };

    for (size_t i = 0; i < COUNT_OF(NAMES); i++)
        if (text_eq(text_of(NAMES[i]), word)) {
            *ret = (ColumnUseKind)i;
            return true;
        }
    return false;
}

/* "kind relation.column", with "!" for its absence. */
static bool holds(const Meaning *m, Bytes claim)
{
    const bool absent = claim.ptr[0] == '!';
    char relation[64] = { 0 }, column[64] = { 0 };
    ColumnUseKind kind = USE_OUTPUT;

    claim = bytes_from(claim, absent ? 1 : 0);
    const size_t space = text_find(claim, LIT(" "));

    EXPECT(kind_of(bytes_upto(claim, space), &kind));
    claim = bytes_from(claim, space + 1);
    const size_t dot = text_find(claim, LIT("."));

    memcpy(relation, claim.ptr, dot);
    memcpy(column, claim.ptr + dot + 1, claim.len - dot - 1);
    return look_uses(m, kind, relation, column) != absent;
}

static void uses_are_what_they_are(void)
{
    size_t bad = 0;

    for (size_t i = 0; i < COUNT_OF(USES); i++) {
        LookCase c = look_at(USES[i].statement);
        Bytes rest = text_of(USES[i].uses);
        const bool refused = text_eq(rest, LIT("?"));

        if (c.m->understood == refused) {
            fprintf(stderr, "%s: %s\n", c.m->understood ? "understood" : c.m->why_not,
                    USES[i].statement);
            bad++;
            rest.len = 0;
        }
        while (rest.len > 0 && !refused) {
            const size_t end = text_find(rest, LIT("; "));

            if (!holds(c.m, bytes_upto(rest, end))) {
                fprintf(stderr, "not so: %.*s: %s\n", SHOW(bytes_upto(rest, end)),
                        USES[i].statement);
                bad++;
            }
            rest = bytes_from(rest, end < rest.len ? end + 2 : end);
        }
        look_done(&c);
    }
    EXPECT(bad == 0);
}

static void values_are_found(void)
{
    LookCase c = look_at("insert into patient (id, ssn) values (1, '123'), ($1, $2::text)");

    EXPECT(c.m->understood && c.m->value_count == 4);
    EXPECT(text_eq(c.m->values[1].literal, LIT("123")) && c.m->values[3].parameter == 2);
    EXPECT(column_ref_eq(c.m->values[3].column, look_column("patient", "ssn")));
    look_done(&c);
    c = look_at("update patient set (ssn, city) = row('x', $3) where ssn in ('a', $1)");
    EXPECT(c.m->understood && c.m->value_count == 4 && !c.m->depends_on_literals);
    look_done(&c);
    c = look_at("select ssn, city from patient order by 2");
    EXPECT(c.m->understood && c.m->depends_on_literals);
    look_done(&c);
}

static void wrappers_keep_names_and_texts(void)
{
    LookCase c = look_at("/* a */ prepare \"Q\" (int) as select id from doctor where id = $1 ; "
                         "declare c cursor with hold for table doctor");

    EXPECT(c.m->statement_count == 2 && c.m->statements[0].kind == STATEMENT_PREPARE);
    EXPECT(text_eq(c.m->statements[0].name, LIT("Q")));
    EXPECT(text_eq(c.m->statements[0].inner, LIT("select id from doctor where id = $1")));
    EXPECT(text_eq(c.m->statements[1].inner, LIT("table doctor")));
    look_done(&c);
    c = look_at("set Search_Path to 'a b', \"C\"; set local role x; reset all; "
                "select set_config('search_path', 'x', true)");
    EXPECT(text_eq(c.m->statements[0].name, LIT("search_path")));
    EXPECT(c.m->statements[0].value_known && text_eq(c.m->statements[0].value, LIT("a b, C")));
    EXPECT(c.m->statements[1].set_local && (c.m->statements[1].effects & EFFECT_PRIV) != 0);
    EXPECT(text_eq(c.m->statements[2].name, LIT("all")));
    EXPECT(text_eq(c.m->statements[3].name, LIT("search_path")) && c.m->statements[3].set_local);
    look_done(&c);
    c = look_at("select a from \xc3\xa9 where selec");
    EXPECT(c.m->unknown_count == 1 && !c.m->understood);
    look_done(&c);
    c = look_at("select 1; select id from doctor, pg_catalog.nosuch, nosuch, other");
    EXPECT(c.m->unknown_count == 3 && text_eq(c.m->unknown[0].name, LIT("nosuch")));
    EXPECT(c.m->unknown_position == 33);
    look_done(&c);
    c = look_at("select '\xc3\xa9\xc3\xa9' selec t");
    EXPECT(!c.m->understood && c.m->why_not_position == 20);
    look_done(&c);
}

static void sensitive_relations_are_named(void)
{
    EXPECT(sql_relation_is_sensitive(LIT("pg_catalog"), LIT("pg_stats")));
    EXPECT(sql_relation_is_sensitive(LIT("public"), LIT("pg_stat_statements")));
    EXPECT(!sql_relation_is_sensitive(LIT("pg_catalog"), LIT("pg_class")));
}

/* --- the canary --- */

typedef struct Writer {
    char text[8192];
    size_t len;
    uint64_t seed;
} Writer;

static void say(Writer *w, const char *words)
{
    const size_t len = strlen(words);

    if (w->len + len < sizeof w->text) {
        memcpy(w->text + w->len, words, len + 1);
        w->len += len;
    }
}

static size_t pick(Writer *w, size_t of)
{
    w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(w->seed >> 33) % of;
}

/* Each has one %, where the expression goes; all see one item p with the columns of patient. */
static const char *const EXPRESSIONS[] = {
    "upper(%)",
    "% || 'x'",
    "coalesce(%, '')",
    "case when true then % end",
    "case % when '1' then 'y' end",
    "case when % like '1%' then 'y' end",
    "(array[%])[1]",
    "nullif(%, '')",
    "greatest(%, 'a')",
    "%::text",
    "(%) collate \"C\"",
    "(row(%)::text)",
    "(select % limit 1)",
    "(select max(%) from doctor)",
    "(select d.name from doctor d where d.phone = % limit 1)",
    "(select 'x' from doctor order by % limit 1)",
    "(select 'x' where exists (select 1 where % like 'a'))",
    "substring(% from 1 for 2)",
    "overlay(% placing 'x' from 1)",
    "trim(both 'x' from %)",
    "format('%', %)",
    "concat(%, 1)",
    "jsonb_build_object('a', %)::text",
    "xmlelement(name a, %)::text",
    "(select string_agg(x, ',') from unnest(array[%]) x)",
    "(with z as (select % as k) select k from z)",
    "(select k from (select % as k union all select 'x') z limit 1)",
    "(array(select %))[1]",
    "min(%) over ()",
    "lag(%) over (order by p.id)",
    "first_value('x') over (order by %)",
    "(values (%))",
    "to_char(length(%), '9')",
    "md5(%)",
    "('x' < all (select %))::text",
    "('x' in (%))::text",
    "(% between 'a' and 'b')::text",
    "(% is distinct from 'x')::text",
    "((%, 1) = ('x', 1))::text",
};

static const char *const PLACES[] = {
    "select % from patient p",
    "select 1 from patient p where % = 'x'",
    "select 1 from patient p where % like 'x' or true",
    "select 1 from patient p order by %",
    "select count(*) from patient p group by %",
    "select 1 from patient p group by p.id having max(%) = 'x'",
    "select distinct on (%) 1 from patient p",
    "select s.k from (select % as k from patient p) s",
    "with s as (select % as k from patient p) select * from s",
    "with s as (select % as k from patient p), t as (select * from s) select upper(t.k) from t",
    "select 1 from patient p join doctor d on d.phone = %",
    "select 1 from patient p left join doctor d on % = 'x'",
    "select 1 from patient p where exists (select 1 from doctor where phone = %)",
    "select 1 from patient p where 'x' in (select %)",
    "select x.k from patient p, lateral (select % as k) x",
    "select x from patient p, unnest(array[%]) x",
    "select row_number() over (partition by %) from patient p",
    "select count(*) filter (where % = 'x') from patient p",
    "select 1 from patient p window w as (order by %)",
    "insert into doctor (id, name) select 1, % from patient p",
    "update patient p set city = %",
    "update patient p set city = 'x' where % = 'x'",
    "update patient p set city = 'x' returning %",
    "update doctor set name = % from patient p",
    "delete from patient p where % > 'x'",
    "delete from patient p returning %",
    "insert into patient as p (id) values (1) on conflict (id) do update set city = %",
    "insert into patient as p (id) values (1) returning %",
    "merge into doctor d using patient p on d.phone = % when matched then delete",
    "merge into doctor d using patient p on d.id = p.id when matched then update set name = %",
    "merge into doctor d using patient p on d.id = p.id when not matched then insert (name) values "
    "(%)",
    "merge into doctor d using patient p on d.id = p.id when matched and % = 'x' then delete",
    "create table x as select % from patient p",
    "create view x as select 1 from patient p where % = 'x'",
    "select % into x from patient p",
    "copy (select % from patient p) to stdout",
    "explain select 1 from patient p where % = 'x'",
    "prepare q as select 1 from patient p where % = 'x'",
    "declare c cursor for select % from patient p",
    "select % from patient p union select 'x'",
    "select 'x' union all select % from patient p",
    "select k from (values ('x')) v(k), patient p where k = %",
    "with w as (delete from patient p returning %) select * from w",
    "with w as (delete from patient p where % = 'x') select 1",
    "select 1 from (select p.id from patient p order by % limit 1) s",
    "select 1 from (select distinct % from patient p) s",
    "with recursive r as (select % as k from patient p union all select k from r where false) "
    "select 1 from r",
    "select 1 from patient p limit (select length(max(%)) from patient p)",
    "select 1 from (patient p join doctor d on true) where % = 'x'",
    "select 1 from (patient p cross join doctor d) join visit v on % = 'x'",
    "select 1 from patient p where p.id = 1 and % = 'x' and true",
    "select grouping(%) from patient p group by rollup (1)",
    "alter table patient alter column city type text using (select % from patient p)",
    "select string_agg('x', ',' order by %) from patient p",
    "select percentile_disc(0.5) within group (order by %) from patient p",
    "select 1 from patient p tablesample system (length(%))",
    "select * from rows from (unnest(array['x']), generate_series(1, 2)) as z, patient p where % = "
    "'x'",
    "select x.b from patient p, xmltable('/a' passing xmlparse(content %) columns b text) x",
};

/* `inner` where `frame` has its "%" alone; "1%" of a LIKE stays. */
static void fill(Writer *w, const char *frame, const char *inner)
{
    Writer out = { .seed = w->seed };
    char one[2] = { 0 };

    for (size_t i = 0; frame[i] != '\0'; i++) {
        one[0] = frame[i];
        if (frame[i] == '%' && (frame[i + 1] != '\'' || (i > 0 && frame[i - 1] == '(')))
            say(&out, inner);
        else
            say(&out, one);
    }
    out.seed = w->seed;
    *w = out;
}

static void the_canary_is_always_seen(void)
{
    static const char *const REFERENCES[] = { "p.ssn",   "ssn",     "(p).ssn",
                                              "p::text", "\"ssn\"", "row_to_json(p)::text",
                                              "p.ssn" };
    Writer w = { .seed = 7 };
    size_t bad = 0, understood = 0, rounds = 60000;

    for (size_t i = 0; i < rounds; i++) {
        char inner[8192];
        const size_t depth = pick(&w, 4);

        w.len = 0;
        say(&w, REFERENCES[pick(&w, COUNT_OF(REFERENCES))]);
        for (size_t k = 0; k < depth; k++) {
            memcpy(inner, w.text, w.len + 1);
            fill(&w, EXPRESSIONS[pick(&w, COUNT_OF(EXPRESSIONS))], inner);
        }
        memcpy(inner, w.text, w.len + 1);
        fill(&w, PLACES[i % COUNT_OF(PLACES)], inner);
        LookCase c = look_at(w.text);

        understood += c.m->understood;
        if (c.m->understood && !look_touches(c.m, "patient", "ssn")) {
            fprintf(stderr, "the canary hid: %s\n", w.text);
            bad++;
        }
        if (!c.m->understood && c.m->unknown_count > 0)
            bad++;
        look_done(&c);
    }
    printf("%zu of %zu understood\n", understood, rounds);
    EXPECT(bad == 0);
    EXPECT(understood > rounds * 3 / 4);
}

static void any_budget_ends_well(void)
{
    const char *text =
        "with a as (select p.ssn, upper(name) from v_patient v join patient p using (id)) "
        "update doctor set name = 'x' from a where phone = '1' returning *";

    for (size_t budget = 0; budget < 8192; budget += 16) {
        Arena arena;
        const Meaning *m = NULL;

        arena_init(&arena, budget);
        const Err err = sql_look(&look_schema()->ctx, text_of(text), &arena, &m);

        EXPECT(err == OK || err == ERR_LIMIT);
        EXPECT(err != OK || m->understood || m->why_not != NULL);
        arena_done(&arena);
    }
}

int main(void)
{
    TEST(uses_are_what_they_are);
    TEST(values_are_found);
    TEST(wrappers_keep_names_and_texts);
    TEST(any_budget_ends_well);
    TEST(sensitive_relations_are_named);
    TEST(the_canary_is_always_seen);
    return 0;
}
