"""A PostgreSQL of our own to compare with, and its catalogue as tests/tools/schema_text.h reads it.

Uses libpq through ctypes: nothing to install. CHAPERONE_TEST_PG may name a running server
("host=/dir port=5432 user=postgres"); otherwise one is made under a temporary folder."""
import ctypes, glob, os, pwd, shutil, subprocess, sys, tempfile

PQ = ctypes.CDLL("libpq.so.5")
for name, result in {"PQconnectdb": ctypes.c_void_p, "PQexec": ctypes.c_void_p, "PQprepare": ctypes.c_void_p,
                     "PQdescribePrepared": ctypes.c_void_p, "PQerrorMessage": ctypes.c_char_p,
                     "PQresultErrorMessage": ctypes.c_char_p, "PQfname": ctypes.c_char_p,
                     "PQftable": ctypes.c_uint, "PQgetvalue": ctypes.c_char_p}.items():
    getattr(PQ, name).restype = result
P = ctypes.c_void_p

SETUP = """
create table patient (id bigint primary key, name text, ssn varchar(11), city text, dob date, addr jsonb,
  doctor_id int, note text, junk int, upper_city text generated always as (upper(city)) stored);
alter table patient drop column junk;
create table doctor (id int primary key, name text, phone text, city text);
create table visit (id bigserial primary key, patient_id bigint references patient(id), doctor_id int, at timestamptz, reason text, cost numeric(10,2));
create table part (id int, k int, v text) partition by range (k);
create table part_1 partition of part for values from (0) to (10);
create table base_t (a int, b text); create table child_t (c text) inherits (base_t);
create table "Odd" ("Id" int, "sel ect" text);
create type mood as enum ('sad','ok');
create table moods (id int, m mood);
create view v_patient as select id, name, ssn as code, city from patient where city is not null;
create view v_on_view (pid, pname, secret) as select id, name, code from v_patient;
create view v_computed as select id, upper(ssn) as u, name from patient;
create view v_join as select p.id, p.ssn, d.name as doctor from patient p join doctor d on d.id = p.doctor_id;
create view v_sub as select s.x, s.y from (select ssn as x, lower(name) as y from patient) s;
create view v_cte as with c as (select ssn, city from patient) select * from c;
create view v_group as select city, ssn, count(*) as n from patient group by city, ssn;
create view v_union as select ssn from patient union select phone from doctor;
create view v_barrier with (security_barrier) as select ssn, city from patient where city <> 'x';
create view v_whole as select p as row, p.city from patient p;
create materialized view mv_patient as select id, ssn from patient;
create sequence s1;
create function f_side() returns int language sql as 'select 1';
create function lower_it(text) returns text language sql as 'select lower($1)';
create schema evil; create function evil.upper(text) returns text language sql as 'select $1';
insert into patient(id,name,ssn,city,dob,addr,doctor_id,note) values (1,'Ann','123-45-6789','Rome','1980-01-01','{"a":1}',1,'n');
insert into doctor values (1,'Bob','555','Rome');
insert into visit(patient_id,doctor_id,at,reason,cost) values (1,1,now(),'x',1);
"""

CATALOGUE = """
select 'relation', c.oid::text, c.relkind::text, n.nspname::text, c.relname::text, 0, 0, '', c.oid, -1000 from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where c.relkind in ('r','p','v','m','f','S','c') and n.nspname !~ '^pg_toast'
union all
select 'column', a.attnum::text, a.attname::text, a.atttypid::text, a.atttypmod::text, 0, 0, (a.attgenerated = 's')::int::text, c.oid, a.attnum from pg_class c join pg_namespace n on n.oid = c.relnamespace
 join pg_attribute a on a.attrelid = c.oid where a.attnum > 0 and not attisdropped and c.relkind in ('r','p','v','m','f','S','c') and n.nspname !~ '^pg_toast'
union all
select distinct 'reads', d.refobjid::text, d.refobjsubid::text, '0', '0', 0, 0, '', c.oid, 10000 from pg_class c join pg_rewrite r on r.ev_class = c.oid
 join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid and d.refclassid = 'pg_class'::regclass and d.refobjid <> c.oid
 where c.relkind in ('v','m') and r.rulename = '_RETURN' and d.deptype = 'n'
order by 9, 10
"""


class Connection:
    def __init__(self, info):
        self.c = PQ.PQconnectdb(info.encode())
        if PQ.PQstatus(P(self.c)) != 0:
            raise RuntimeError(PQ.PQerrorMessage(P(self.c)).decode())

    def rows(self, sql):
        r = P(PQ.PQexec(P(self.c), sql.encode()))
        try:
            if PQ.PQresultStatus(r) not in (1, 2):
                raise RuntimeError(PQ.PQresultErrorMessage(r).decode())
            return [[PQ.PQgetvalue(r, i, k).decode() for k in range(PQ.PQnfields(r))] for i in range(PQ.PQntuples(r))]
        finally:
            PQ.PQclear(r)

    def describe(self, sql):
        """[(name, table oid, attnum)] as RowDescription has it, or an error text."""
        r = P(PQ.PQprepare(P(self.c), b"", sql.encode(), 0, None))
        try:
            if PQ.PQresultStatus(r) != 1:
                return PQ.PQresultErrorMessage(r).decode()
        finally:
            PQ.PQclear(r)
        r = P(PQ.PQdescribePrepared(P(self.c), b""))
        try:
            return [(PQ.PQfname(r, i).decode(), PQ.PQftable(r, i), PQ.PQftablecol(r, i)) for i in range(PQ.PQnfields(r))]
        finally:
            PQ.PQclear(r)


class Server:
    def __enter__(self):
        self.info, self.dir = os.environ.get("CHAPERONE_TEST_PG"), None
        if self.info:
            return self
        bins = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
        if not bins:
            print("SKIP: no PostgreSQL server binaries", file=sys.stderr)
            sys.exit(77)
        self.bin, self.dir = bins[0], tempfile.mkdtemp(prefix="chaperone_pg_")
        if os.getuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self.dir, user.pw_uid, user.pw_gid)
        self.run("initdb", "-D", self.dir + "/data", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8")
        self.run("pg_ctl", "-D", self.dir + "/data", "-w", "-l", self.dir + "/log", "-o",
                 f"-k {self.dir} -c listen_addresses= -c fsync=off", "start")
        self.info = f"host={self.dir} user=postgres dbname=postgres"
        return self

    def run(self, *command):
        def drop():
            user = pwd.getpwnam("postgres")
            os.setgid(user.pw_gid)
            os.setuid(user.pw_uid)
        subprocess.run([self.bin + "/" + command[0], *command[1:]], check=True, cwd="/", stdout=subprocess.DEVNULL,
                       preexec_fn=drop if os.getuid() == 0 else None)

    def __exit__(self, *_):
        if self.dir:
            self.run("pg_ctl", "-D", self.dir + "/data", "-m", "immediate", "stop")
            shutil.rmtree(self.dir)

    def fresh(self, setup=SETUP, name="lineage"):
        admin = Connection(self.info)
        admin.rows(f"drop database if exists {name}")
        admin.rows(f"create database {name}")
        c = Connection(self.info + f" dbname={name}")
        c.rows(setup)
        return c


def schema_text(c, origins):
    """`origins` maps (view oid, attnum) to (oid, attnum); made with view_tree_dump."""
    lines = []
    for row in c.rows(CATALOGUE):
        if row[0] == "relation":
            view = int(row[1])
        if row[0] == "column":
            row[5], row[6] = origins.get((view, int(row[1])), (0, 0))
        lines.append("\t".join(map(str, row[:8])))
    for kind, sql in {
        "function": "select distinct nspname, proname from pg_proc p join pg_namespace n on n.oid=pronamespace where nspname not in ('pg_catalog','information_schema')",
        "operator": "select distinct nspname, oprname from pg_operator p join pg_namespace n on n.oid=oprnamespace where nspname <> 'pg_catalog'",
        "type": "select distinct nspname, typname from pg_type p join pg_namespace n on n.oid=typnamespace where nspname not in ('pg_catalog')",
        "harmless": "select distinct nspname, typname from pg_type p join pg_namespace n on n.oid=typnamespace where nspname not in ('pg_catalog') and typtype = 'e'",
    }.items():
        lines += ["\t".join([kind] + r) for r in c.rows(sql)]
    lines += ["path\tpublic", "path\tpg_temp"]
    return "\n".join(lines) + "\n"
