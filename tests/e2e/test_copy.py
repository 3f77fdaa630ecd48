"""COPY to the client gives what a direct connection gives, but for masked cells."""
import io
import subprocess
import time

import psycopg
import psycopg2
import pytest
import stack
import wire

ODD = ("(VALUES (1, E'a\\tb\\\\c\\nd\\re'), (2, NULL), (3, ''), (4, E'\\\\.'), (5, 'q\"q,''x|;'), (6, '\\N'), (7, 'NULL'), "
       "(8, E'\\b\\f\\v\\x01\\x7f'), (9, 'ünï'), (10, ' x ')) AS v(n, \"t\"\"x\")")
ALONE = "(SELECT t FROM (VALUES (E'\\\\.'), (''), (NULL), ('a,b')) AS v(t))"
FORMS = ["", "(FORMAT text, HEADER)", "(DELIMITER '|', NULL 'NULL')", "(DELIMITER E'\\x01')", "(FORMAT csv)",
         "(FORMAT csv, HEADER true)", "CSV HEADER QUOTE '''' ESCAPE '\\'", "(FORMAT csv, FORCE_QUOTE *, NULL 'NULL')",
         "(FORMAT csv, FORCE_QUOTE (\"t\"\"x\"), DELIMITER ';', ESCAPE 'x')", "(FORMAT binary)", "BINARY"]


def copied(url, statement):
    """Message by message, as libpq hands them over."""
    with psycopg.connect(url) as c, c.cursor().copy(statement) as copy:
        return [bytes(block) for block in copy]


def both(site, statement):
    return copied(site.url(), statement), copied(site.pg.url(), statement)


@pytest.mark.core
@pytest.mark.parametrize("form", FORMS)
def test_every_form_equals_direct(site, form):
    for source in (f"(SELECT * FROM {ODD})", "encounter (id, patient_id, department)", "(SELECT 1 WHERE false)"):
        if "FORCE_QUOTE (" in form and "VALUES" not in source:
            continue
        if form == "BINARY" and source[0] == "(":
            continue  # the old word stands before a table only
        statement = f"COPY BINARY {source} TO STDOUT" if form == "BINARY" else f"COPY {source} TO STDOUT {form}"
        through, direct = both(site, statement)
        assert through == direct, statement
    if form not in ("BINARY",) and "FORCE_QUOTE (" not in form:
        through, direct = both(site, f"COPY {ALONE} TO STDOUT {form}")
        assert through == direct


@pytest.mark.core
@pytest.mark.parametrize("form", ["", "(FORMAT csv)", "(FORMAT binary)"])
def test_masks_are_those_of_select(site, form):
    selected = site.wire()
    selected.ask(wire.parse("SELECT * FROM patient"), wire.bind(binary="binary" in form), wire.execute(), wire.SYNC)
    got = selected.ask(wire.parse("SELECT * FROM patient"), wire.bind(binary="binary" in form), wire.execute(), wire.SYNC)
    rows = wire.rows(got)
    data = copied(site.url(), f"COPY patient TO STDOUT {form}")
    assert len(rows) == 250
    if "binary" in form:
        assert b"".join(data)[19:-2] == b"".join(body for tag, body in got if tag == "D")
    else:
        by = b"," if "csv" in form else b"\t"
        null = b"" if "csv" in form else b"\\N"
        assert [line.rstrip(b"\n").split(by) for line in data] == [[null if v is None else v for v in r] for r in rows]
    assert not any(canary.encode() in b"".join(data) for canary in site.canaries())


@pytest.mark.core
def test_psql_and_drivers(site, tmp_path):
    file = tmp_path / "out.csv"
    done = site.psql(f"\\copy (SELECT id, ssn, city FROM patient ORDER BY id) TO '{file}' WITH (FORMAT csv, HEADER)\n")
    assert done.returncode == 0 and "COPY 250" in done.stdout, done.stderr
    lines = file.read_text().splitlines()
    assert lines[0] == "id,ssn,city" and len(lines) == 251 and lines[1].startswith("1,▒▒▒▒▒")
    done = site.psql("COPY patient (id, ssn) TO STDOUT;")
    assert "masked: patient.ssn (redact)" in done.stderr and done.stdout.splitlines()[0].startswith("1\t▒▒▒▒▒")
    out = io.StringIO()
    c = psycopg2.connect(site.url())
    c.cursor().copy_expert("COPY (SELECT id, last_name FROM patient ORDER BY id) TO STDOUT (FORMAT csv)", out)
    c.close()
    assert out.getvalue().startswith("1,▒▒▒▒▒\n2,▒▒▒▒▒\n")
    with psycopg.connect(site.url()) as c, c.cursor().copy("COPY patient (id, mrn) TO STDOUT (FORMAT binary)") as copy:
        copy.set_types(["int4", "text"])
        rows = list(copy.rows())
    assert len(rows) == 250 and all(mrn.startswith("MRN-") for _, mrn in rows)


@pytest.mark.core
def test_extended_protocol(client):
    steps = [wire.bind(), wire.describe(), wire.execute(limit=1), wire.SYNC]
    got = client.ask(wire.parse("COPY encounter (id) TO STDOUT"), wire.describe(kind="S"), *steps)
    tags = wire.tags(got).replace("N", "")
    assert tags.startswith("1tn2nHd") and tags.endswith("dcCZ")
    assert wire.errors(client.ask(wire.execute(), wire.SYNC))


REFUSED = [
    ("COPY (SELECT upper(ssn) FROM patient) TO STDOUT", "CHP-3111"),
    ("COPY (SELECT p FROM patient p) TO STDOUT", "CHP-3111"),
    ("COPY (SELECT 1 INTO t) TO STDOUT", "SELECT INTO"),
    ("COPY patient_directory TO STDOUT", "use COPY (SELECT"),
    ("COPY encounter TO STDOUT; SELECT 1", "one statement of its message"),
    ("COPY encounter TO STDOUT (ENCODING 'latin1')", "UTF8 only"),
    ("COPY encounter TO STDOUT (DELIMITER 'ab')", "one byte"),
    ("COPY encounter TO STDOUT (FORMAT csv, FREEZE)", "other direction"),
    ("COPY encounter TO '/tmp/x'", "CHP-3102"),
    ("COPY encounter TO PROGRAM 'cat'", "CHP-3102"),
    ("COPY encounter FROM '/tmp/x'", "CHP-3102"),
]


@pytest.mark.core
@pytest.mark.parametrize("statement, why", REFUSED)
def test_refused(client, statement, why):
    got = client.query(statement)
    assert wire.tags(got) == "EZ" and why in wire.errors(got)[0]["M"] + wire.errors(got)[0]["R"], got


@pytest.fixture
def scratch(site):
    site.pg.sql("DROP TABLE IF EXISTS scratch; CREATE TABLE scratch AS SELECT id, city, ssn FROM patient; "
                "GRANT ALL ON scratch TO gate_ehr")
    yield
    site.pg.sql("DROP TABLE IF EXISTS scratch")


SWAP = "ALTER TABLE scratch RENAME city TO town; ALTER TABLE scratch RENAME ssn TO city"


@pytest.mark.core
@pytest.mark.parametrize("source", ["scratch (id, city)", "(SELECT id, city FROM scratch)", "scratch"])
def test_a_column_renamed_after_it_was_understood(site, scratch, client, source):
    """The snapshot is up to 2 s old, and says that city is clear."""
    stack.wait_for(lambda: not wire.errors(client.query(f"COPY {source} TO STDOUT")), 5)
    site.pg.sql(SWAP)
    client.query(f"COPY {source} TO STDOUT")
    assert not any(p["ssn"].encode() in bytes(client.seen) for p in site.people)


@pytest.mark.core
def test_a_column_renamed_between_parse_and_bind(site, scratch, client):
    client.ask(wire.parse("COPY scratch (city) TO STDOUT", "s"), wire.SYNC)
    site.pg.sql(SWAP)
    client.ask(wire.bind(statement="s"), wire.execute(), wire.SYNC)
    assert not any(p["ssn"].encode() in bytes(client.seen) for p in site.people)


def test_a_name_that_means_another_table_at_bind(site, client):
    site.pg.sql("CREATE SCHEMA IF NOT EXISTS swap; DROP TABLE IF EXISTS swap.encounter; "
                "CREATE TABLE swap.encounter AS SELECT id, ssn AS department FROM patient; "
                "GRANT USAGE ON SCHEMA swap TO gate_ehr; GRANT SELECT ON swap.encounter TO gate_ehr")
    client.ask(wire.parse("COPY encounter (department) TO STDOUT", "s"), wire.SYNC)
    client.query("SET search_path = swap, public")
    time.sleep(3)  # the catalogue is compared every 2 s
    got = client.ask(wire.bind(statement="s"), wire.execute(), wire.SYNC)
    assert wire.errors(got) and "d" not in wire.tags(got)
    client.query("SET search_path = public")
    site.pg.sql("DROP SCHEMA swap CASCADE")
    assert not any(p["ssn"].encode() in bytes(client.seen) for p in site.people)


@pytest.mark.core
def test_a_row_that_is_too_long_ends_the_copy(client):
    got = client.query("COPY (SELECT repeat('x', CASE n WHEN 3 THEN 3000000 ELSE n END) FROM generate_series(1, 5) n) TO STDOUT")
    assert wire.tags(got) == "HddEZ" and "CHP-5202" in wire.errors(got)[0]["M"]
    assert wire.rows(client.query("SELECT 1")) == [[b"1"]]


def test_an_error_in_the_middle(client):
    got = client.query("COPY (SELECT 10 / (3 - n) FROM generate_series(1, 5) n) TO STDOUT")
    assert wire.tags(got) == "HddEZ" and wire.status(got) == "I"
    client.query("BEGIN")
    assert wire.status(client.query("COPY (SELECT 1 / 0) TO STDOUT")) == "E"
    assert wire.status(client.query("ROLLBACK")) == "I"


def test_it_is_played(site):
    with psycopg.connect(site.url()) as c:
        session = c.execute("SHOW chaperone.session").fetchone()[0]
        with c.cursor().copy("COPY patient (id, last_name) TO STDOUT") as copy:
            assert len(list(copy)) == 250
    shown = site.gate.cli("session", "play", session, token=site.tokens["pat"]).stdout
    assert "COPY patient (id, last_name) TO STDOUT" in shown and "COPY 250" in shown
    assert any(line.startswith("250") and line.endswith("▒▒▒▒▒") for line in shown.splitlines()), shown


def test_a_million_rows_in_little_memory(site, client):
    client.send(wire.query("COPY (SELECT n, repeat('y', 60) FROM generate_series(1, 200000) n) TO STDOUT"))
    got = client.until("Z")
    assert sum(tag == "d" for tag, _ in got) == 200000


def test_pg_dump_is_refused_clearly(site):
    done = subprocess.run([str(stack.PG_BIN / "pg_dump"), "-t", "encounter", site.url()], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "chaperone refused" in done.stderr and "set_config" in done.stderr
    assert done.stdout == ""
