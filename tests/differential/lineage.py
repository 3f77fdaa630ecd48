#!/usr/bin/env python3
"""What sql_look says of each output column, against RowDescription of a real PostgreSQL.

    lineage.py SQL_LOOK_DUMP VIEW_TREE_DUMP

Every column that the server traces to a table must be an OUTPUT_COLUMN of the same (oid, attnum),
and the other way round. Fails with the first twenty differences."""
import itertools, json, os, subprocess, sys, tempfile
sys.path.insert(0, os.path.dirname(__file__))
from server import Server, schema_text

COLUMNS = ["ssn", "p.ssn", "p.city", "p.name", "ssn as x", "p.dob", "p.id", "upper(p.ssn)", "p.ssn || ''", "p.ssn::text", "p.city::text",
           "p.ssn::varchar", "p.id::bigint", "p.ssn collate \"C\"", "coalesce(p.ssn, '')", "case when true then p.ssn end", "(p).ssn", "(p.ssn)",
           "p", "p.*", "*", "(p).*", "row(p.ssn)", "count(*) over ()", "lag(p.ssn) over (order by p.id)", "p.addr->'a'", "p.addr", "1", "'x'", "null",
           "array[p.ssn]", "(select p.ssn)", "(select max(ssn) from patient)", "exists (select 1)", "p.ctid", "p.tableoid", "current_date", "$1::int",
           "p.upper_city", "p.city as ssn", "now()", "greatest(p.id, 1)", "nullif(p.ssn, '')", "not true", "p.ssn is null", "p.note"]
WRAPS = ["select {c} from patient p", "select * from (select {c} from patient p) s", "with s as (select {c} from patient p) select * from s",
         "with s as materialized (select {c} from patient p) select s.* from s", "select x.* from (select * from (select {c} from patient p) a) x",
         "select {c} from patient p limit 1", "select {c} from (select * from patient) p", "select {c} from patient p for update",
         "select {c} from patient as p tablesample system (10)"]
OTHERS = """
select d.id, p.id from patient p join doctor d on d.id = p.doctor_id
select * from patient p join doctor d on d.id = p.doctor_id
select * from patient p join visit v using (doctor_id)
select doctor_id, id from patient p join (select doctor_id, reason from visit) v using (doctor_id)
select doctor_id from patient p left join visit v using (doctor_id)
select doctor_id from patient p right join visit v using (doctor_id)
select doctor_id from patient p full join visit v using (doctor_id)
select * from patient p full join visit v using (doctor_id)
select id from patient join doctor using (id)
select id from patient left join doctor using (id)
select id from patient right join doctor using (id)
select id from doctor join patient using (id)
select * from patient natural join doctor
select name, city from patient natural join doctor
select j.name from (patient natural join doctor) j
select j.* from (patient p join doctor d using (id)) as j
select j.* from (patient p join doctor d using (id)) as j (a, b, c)
select j.id, p.name, d.name from patient p join doctor d using (id) as j
select a, b from (patient p join doctor d on true) as j (a, b)
select x.a, x.b from patient as x (a, b)
select x.* from patient as x (a, b)
select s.* from patient p, lateral (select p.ssn, v.reason from visit v where v.patient_id = p.id) s
select s.* from patient p left join lateral (select p.ssn as k) s on true
select ssn from patient group by ssn
select ssn, count(*) from patient group by 1
select city, ssn from patient group by rollup (city, ssn)
select city, grouping(city) from patient group by grouping sets ((city), ())
select distinct ssn from patient
select distinct on (city) ssn, city from patient order by city, ssn
select ssn from patient union select phone from doctor
select ssn from patient union all select ssn from patient
select ssn from patient intersect select ssn from patient
select * from (select ssn from patient union all select ssn from patient) u
select * from (values (1, 'a'), (2, 'b')) v (n, t)
values (1, 'a')
select v.* from patient p, lateral (values (p.ssn)) v
with recursive r as (select id, ssn from patient union all select r.id, r.ssn from r where false) select * from r
with recursive r (n) as (values (1) union all select n + 1 from r where n < 3) select * from r
with recursive r as (select id, ssn from patient) select * from r
with a as (select ssn from patient), b as (select * from a) select b.ssn, a.ssn as y from a, b
with a as (select ssn from patient) select * from (with a as (select city from patient) select * from a) z, a
with s (x) as (select ssn, city from patient) select * from s
insert into doctor (id, name) values (9, 'x') returning id, name, phone
insert into doctor values (9, 'x') returning *
insert into doctor (id) select id from patient returning *, upper(name)
insert into doctor (id) values (1) on conflict (id) do update set name = excluded.name returning name
update patient set city = 'x' where id = 1 returning ssn, city as c
update patient p set city = d.city from doctor d where d.id = p.doctor_id returning p.ssn, d.phone
update patient p set city = d.city from doctor d where d.id = p.doctor_id returning *
delete from patient where id = 1 returning *
delete from patient p using doctor d where d.id = p.doctor_id returning d.phone, p.*
with w as (update patient set city = 'y' returning ssn, city) select * from w
with w as (delete from patient returning *) select w.ssn from w
update v_patient set city = 'x' returning code, city
select * from v_patient
select code, secret from v_patient a join v_on_view b on a.id = b.pid
select * from v_on_view
select * from v_computed
select * from v_join
select * from v_sub
select * from v_union
select * from v_barrier
select * from v_whole
select * from mv_patient
select v from v_patient v
select * from (select v from v_patient v) x
select (v).code from v_patient v
select * from part
select * from part_1
select * from base_t
select * from only base_t
select * from child_t
select "Id", "sel ect" from "Odd"
select o.* from "Odd" o
select s from (select ssn from patient) s
select s.ssn from (select ssn from patient) s
select s.p from (select p from patient p) s
select (s.p).ssn from (select p from patient p) s
select g from generate_series(1, 3) g
select * from generate_series(1, 3) g
select g.g, p.ssn from patient p, generate_series(1, 3) g
select * from unnest(array[1,2]) with ordinality as t (v, n)
select t.v from unnest(array[1,2]) as t (v)
select * from jsonb_each('{"a":1}') e
select e.key, e.value from patient p, jsonb_each(p.addr) e
select e.k from patient p, jsonb_each(p.addr) e (k, v)
select * from jsonb_to_record('{"a":1}') as r (a int, b text)
select * from rows from (generate_series(1, 2), generate_series(1, 3)) as t (a, b)
select generate_series(1, 3)
select string_agg(ssn, ',') from patient
select min(ssn), max(city) from patient
select count(ssn), count(*) from patient
select first_value(ssn) over w from patient window w as (partition by city order by dob)
select id, m, m::text from moods
select m::mood from moods
select 'ok'::mood
select ssn from patient where ssn in (select phone from doctor)
select (select ssn from patient limit 1) as s, city from patient
select array(select ssn from patient)
select p.ssn from patient p where exists (select 1 from doctor d where d.id = p.doctor_id)
select public.patient.ssn from public.patient
select patient.ssn from public.patient
select ssn from patient fetch first 2 rows only
table patient
table v_patient
select relname, oid from pg_class
select c.relname, n.nspname from pg_class c join pg_namespace n on n.oid = c.relnamespace
select table_name, column_name from information_schema.columns
select * from pg_settings
select usename from pg_user
select name, setting from pg_settings
select xmltable.* from xmltable('/a' passing '<a/>' columns b text)
select x.b from xmltable('/a' passing '<a/>' columns b text) x
select p.name from patient p, pg_class where false
select nextval('s1'), last_value from s1
select extract(year from dob), date_trunc('year', dob) from patient
select * from patient a, patient b
select a.ssn, b.ssn as t from patient a cross join patient b
select * from (patient a cross join doctor b) join visit c on c.patient_id = a.id
select * from ((select ssn from patient) union (select city from patient)) q
select ssn, row_number() over () from patient
select x from (select ssn from patient) s (x)
select x.y from (select ssn as y, name from patient offset 0) x
select p.ssn from (patient p left join doctor d on true)
select id::int8, id::bigint, id::int4 from patient
select name::text as a, ssn::varchar(11), cost::numeric(10,2), cost::numeric from patient, visit
select dob::date, at::timestamptz, reason::text from patient, visit
"""


def corpus():
    for wrap, column in itertools.product(WRAPS, COLUMNS):
        yield wrap.format(c=column)
    for pair in itertools.combinations(COLUMNS[:9] + ["p.*", "(p).*"], 2):
        yield "select {} from patient p".format(", ".join(pair))
    yield from filter(None, OTHERS.split("\n"))


def view_origins(c, tool):
    rows = c.rows("select c.oid, r.ev_action from pg_class c join pg_rewrite r on r.ev_class = c.oid where r.rulename = '_RETURN' order by 1")
    out = subprocess.run([tool], input="\x1e".join(r[1] for r in rows).encode(), capture_output=True, check=True).stdout.decode()
    origins = {}
    for row, line in zip(rows, out.splitlines()):
        if line == "malformed":
            raise SystemExit(f"view_tree: malformed for {row[0]}")
        for entry in line.split():
            attnum, oid, column = map(int, entry.split(":"))
            origins[int(row[0]), attnum] = (oid, column)
    return origins


def check_views(c, origins):
    """The tree's answer, against what the same SELECT says when it is not a view."""
    bad = 0
    for (oid, name, text) in c.rows("select c.oid, relname, pg_get_viewdef(c.oid) from pg_class c where relkind in ('v','m') and relnamespace = 'public'::regnamespace"):
        for at, (_, table, column) in enumerate(c.describe(text), 1):
            if origins.get((int(oid), at)) != (table, column):
                print(f"VIEW {name}.{at}: server {(table, column)}, tree {origins.get((int(oid), at))}")
                bad += 1
    return bad


def main():
    look, tree = sys.argv[1:3]
    with Server() as server, tempfile.NamedTemporaryFile("w") as schema:
        c = server.fresh()
        origins = view_origins(c, tree)
        bad = check_views(c, origins)
        schema.write(schema_text(c, origins))
        schema.flush()
        texts = list(dict.fromkeys(corpus()))
        out = subprocess.run([look, schema.name], input="\x1e".join(texts).encode(), capture_output=True, check=True).stdout
        checked = refused = casts = 0
        for text, line in zip(texts, out.decode().splitlines()):
            said, real = json.loads(line), c.describe(text)
            if isinstance(real, str):
                continue  # the server refuses it
            checked += 1
            if not said["understood"]:
                print(f"REFUSED {text}: {said['why_not']}")
                refused += 1
                continue
            s = said["statements"][0]
            if not s["outputs_known"]:
                continue
            mine = [(o["name"], *o["column"]) for o in s["outputs"]]
            # A cast to the column's own type is none: the server still names the column. Only built-in types
            # without modifier are known to be that; for others we say computed, and derived from that column.
            derived = {(u["output"], *u["column"]) for u in said["uses"] if u["kind"] == "derived"}
            differs = len(mine) != len(real) or any(m != r and (m[1:] != (0, 0) or m[0] != r[0] or (i, *r[1:]) not in derived)
                                                    for i, (m, r) in enumerate(zip(mine, real)))
            if differs and bad < 20:
                print(f"DIFFERENT {text}\n  server {real}\n  look   {mine}")
            bad += differs
            casts += not differs and mine != real
        print(f"{checked} statements compared, {refused} refused by sql_look, {bad} different, {casts} no-op casts called computed")
        return 1 if bad or refused else 0


if __name__ == "__main__":
    sys.exit(main())
