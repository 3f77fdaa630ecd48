/* Each case of the bypass collection, and what must be seen in it. Where the collection
 * describes a case in prose, statements stand for it. Every case must be here. */
#include "../test.h"
#include "base/text.h"
#include "look_case.h"

enum {
    READ = EFFECT_READ,
    WRITE = EFFECT_WRITE,
    DDL = EFFECT_DDL,
    PRIV = EFFECT_PRIV,
    ADMIN = EFFECT_ADMIN,
    LOCK = EFFECT_LOCK,
    MSG = EFFECT_MSG,
    FILES = EFFECT_FILE,
    NET = EFFECT_NET,
    REPL = EFFECT_REPL,
    OPAQUE = EFFECT_OPAQUE | EFFECT_WRITE,
    REFUSED = 1 << 20, /* not understood is the answer */
    ONLY_READ = 1 << 21,
    DERIVED = 1 << 22, /* patient.ssn, and not as an output */
    SETTING = 1 << 23, /* a statement whose setting policy judges by name */
};

static const struct {
    const char *needle; /* occurs in the case's "input" */
    const char *statement;
    unsigned expected;
} CASES[] = {
    { "with x as (update t set n=7 returning *)",
      "with x as (update doctor set id=7 returning *) select * from x", WRITE },
    { "with w as (insert into t values(50",
      "with w as (insert into doctor values(50,'x') returning id), d as (delete from doctor where "
      "id=50 returning id) values (1)",
      WRITE },
    { "explain (analyze, costs off) update", "explain (analyze, costs off) update doctor set id=8",
      WRITE },
    { "explain analyze select f_side()", "explain analyze select f_side()", OPAQUE },
    { "\"select f_side()\"", "select f_side()", OPAQUE },
    { "select 1 === 1", "select 1 === 1", OPAQUE },
    { "'1'::text::int  -- with user-created", "select '1'::text::int", OPAQUE },
    { "set search_path=evil,pg_catalog",
      "set search_path=evil,pg_catalog,public; select lower(ssn) from public.patient",
      SETTING | DERIVED },
    { "do $x$ begin execute", "do $x$ begin execute $$upd$$||$$ate t set n=9$$; end $x$", OPAQUE },
    { "copy (with x as (update",
      "copy (with x as (update doctor set id=11 returning *) select * from x) to stdout", WRITE },
    { "copy t to '/srv/x'", "copy doctor to '/srv/x'", FILES },
    { "\"copy t from stdin\"", "copy doctor from stdin", WRITE },
    { "update U&\\\"\\\\0074\\\" set n=12", "update U&\"\\0064octor\" set id=12", WRITE },
    { "UESCAPE '!' set n=13", "UPDATE U&\"!0064octor\" UESCAPE '!' set id=13", WRITE },
    { "/* /* */ select 1 */ update t", "/* /* */ select 1 */ update doctor set id=14; -- ", WRITE },
    { "/* a /* b */ */ update/**/t", "/* a /* b */ */ update/**/doctor/**/set/**/id=15", WRITE },
    { "update\\ft\\fset\\fn=16", "update\fdoctor\fset\fid=16", WRITE },
    { "update t set n=4; --'\"", "select 'a\\'; update doctor set id=4; --'", WRITE },
    /* The gateway forces standard_conforming_strings on; its change is a SET that policy sees. */
    { "after scs=off", "set standard_conforming_strings = off", SETTING },
    /* Bytes that are not UTF-8 never reach the parser. */
    { "client_encoding=SJIS", "select E'\x95\\'; update doctor set id=1 --'", REFUSED },
    { "query_to_xml('select f_side()'", "select query_to_xml('select f_side()',true,false,'')",
      OPAQUE },
    { "set_config('role','boss'", "select set_config('role','boss',false)", PRIV },
    { "pg_terminate_backend(pid)",
      "select pg_terminate_backend(1), pg_cancel_backend(1), pg_reload_conf(), "
      "pg_rotate_logfile(), pg_switch_wal(), pg_promote()",
      ADMIN },
    { "alter system set log_statement", "alter system set log_statement='none'", ADMIN },
    { "update v set n=22", "update v_patient set city='22'", WRITE },
    { "insert into seq_log", "insert into doctor values (1)", WRITE },
    { "where current of c",
      "begin; declare c cursor for select id from doctor for update; fetch c; update doctor set "
      "id=23 where current of c",
      WRITE | LOCK },
    { "\"select id from t for update / for share", "select id from doctor for update", LOCK },
    { "\"select id from t for update / for share", "select id from doctor for key share", LOCK },
    { "nextval('s1'), setval('s1',100)", "select nextval('s1'), setval('s1',100)", WRITE },
    { "set default_transaction_read_only=on",
      "set default_transaction_read_only=on; begin; set transaction read write; update doctor set "
      "id = 1",
      WRITE | SETTING },
    { "pg_notify('c','exfil')", "select pg_notify('c','exfil')", MSG },
    { "pg_notify('c','exfil')", "notify c,'x'; listen c; unlisten *", MSG },
    { "pg_temp.now2()",
      "create function pg_temp.now2() returns int language sql as 'update t set n=24'; select "
      "pg_temp.now2()",
      DDL | OPAQUE },
    { ";;;  ; update t set n=32", ";;;  ; update doctor set id=32", WRITE },
    { "pg_advisory_lock(1), pg_sleep",
      "select pg_advisory_unlock_all(); close all; unlisten *; reset all", ONLY_READ },
    { "pg_advisory_lock(1), pg_sleep", "select pg_advisory_lock(1), pg_sleep(1e6)", LOCK },
    { "lock table t; truncate t; vacuum",
      "lock table doctor; truncate doctor; vacuum full doctor; cluster doctor; reindex table "
      "doctor; refresh materialized view mv_patient; analyze doctor",
      WRITE | ADMIN | LOCK },
    { "lo_from_bytea(0,'x')", "select lo_from_bytea(0,'x'), lo_unlink(1), lo_put(1,0,'x')",
      WRITE | EFFECT_LOB },
    { "import foreign schema / create server", "import foreign schema a from server s into public",
      NET | DDL | PRIV },
    { "import foreign schema / create server", "create server s foreign data wrapper postgres_fdw",
      NET | DDL | PRIV },
    { "import foreign schema / create server", "create user mapping for public server s",
      NET | DDL | PRIV },
    { "import foreign schema / create server",
      "create subscription s connection 'host=x' publication p", NET | DDL | PRIV },
    { "import foreign schema / create server", "create extension dblink", DDL | PRIV | OPAQUE },
    { "pg_create_logical_replication_slot",
      "select pg_create_logical_replication_slot('s','pgoutput'), "
      "pg_logical_slot_get_changes('s',null,null)",
      REPL },
    { "json_agg(t)/row_to_json(t)", "select json_agg(p) from patient p", ONLY_READ | DERIVED },
    { "json_agg(t)/row_to_json(t)", "select row_to_json(p) from patient p", ONLY_READ | DERIVED },
    { "json_agg(t)/row_to_json(t)", "select xmlagg(xmlelement(name a, ssn)) from patient",
      ONLY_READ | DERIVED },
    { "json_agg(t)/row_to_json(t)",
      "select string_agg(ssn,','), encode(ssn::bytea,'hex'), reverse(ssn), md5(ssn), ssn||'' from "
      "patient",
      ONLY_READ | DERIVED },
};

static SchemaName operators[] = { { LIT_INIT("public"), LIT_INIT("===") } };
static Bytes cast_targets[] = { LIT_INIT("int4") };

static bool has_setting(const Meaning *m)
{
    for (size_t i = 0; i < m->statement_count; i++)
        if (m->statements[i].kind == STATEMENT_SET && m->statements[i].name.len > 0)
            return true;
    return false;
}

static bool as_expected(const Meaning *m, unsigned expected)
{
    const unsigned effects = expected & 0x1fff;

    if ((expected & REFUSED) != 0)
        return !m->understood;
    if (!m->understood || (m->effects & effects) != effects)
        return false;
    if ((expected & ONLY_READ) != 0 && m->effects != READ)
        return false;
    if ((expected & SETTING) != 0 && !has_setting(m))
        return false;
    return (expected & DERIVED) == 0 || (look_uses(m, USE_DERIVED, "patient", "ssn") ||
                                         look_uses(m, USE_DERIVED, "patient", "*"));
}

static void every_statement_has_its_effects(void)
{
    Schema *schema = &look_schema()->schema;
    size_t bad = 0;

    schema->operators = operators;
    schema->operator_count = COUNT_OF(operators);
    schema->cast_targets = cast_targets;
    schema->cast_target_count = COUNT_OF(cast_targets);
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        LookCase c = look_at(CASES[i].statement);

        if (!as_expected(c.m, CASES[i].expected)) {
            fprintf(stderr, "effects %x, %s: %s\n", c.m->effects,
                    c.m->understood ? "understood" : c.m->why_not, CASES[i].statement);
            bad++;
        }
        look_done(&c);
    }
    EXPECT(bad == 0);
}

static Bytes collection(void)
{
    static uint8_t mem[1 << 20];
    const char *folder = getenv("SHARED_DATA");
    char path[4096];

    snprintf(path, sizeof path, "%s/bypass/postgres_sql.json", folder != NULL ? folder : "");
    FILE *f = fopen(path, "rb");

    if (f == NULL) {
        printf("SKIP: the bypass collection is not there: %s\n", path);
        exit(77);
    }
    const size_t len = fread(mem, 1, sizeof mem, f);

    fclose(f);
    return (Bytes){ mem, len };
}

/* Each "input" of the collection is named by some needle, each needle by some input. */
static void every_case_is_covered(void)
{
    bool used[COUNT_OF(CASES)] = { false };
    Bytes rest = collection();
    size_t cases = 0, bad = 0;

    for (size_t at = text_find(rest, LIT("\"input\"")); at < rest.len;
         at = text_find(rest, LIT("\"input\""))) {
        rest = bytes_from(rest, at + 7);
        const Bytes input = bytes_upto(rest, text_find(rest, LIT("\"expected\"")));
        bool covered = false;

        cases++;
        for (size_t i = 0; i < COUNT_OF(CASES); i++)
            if (text_find(input, text_of(CASES[i].needle)) < input.len)
                covered = used[i] = true;
        if (!covered) {
            fprintf(stderr, "not covered: %.*s\n", SHOW(input));
            bad++;
        }
    }
    for (size_t i = 0; i < COUNT_OF(CASES); i++)
        if (!used[i]) {
            fprintf(stderr, "no such case: %s\n", CASES[i].needle);
            bad++;
        }
    EXPECT(cases > 0 && bad == 0);
}

int main(void)
{
    TEST(every_statement_has_its_effects);
    TEST(every_case_is_covered);
    return 0;
}
