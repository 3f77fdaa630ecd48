"""Refusals say who, why and what next, and are true on the server."""
import psycopg
import pytest
import wire

DELETE = "DELETE FROM encounter"


def counting(site, where):
    return site.pg.value(f"SELECT count(*) FROM encounter WHERE {where}")


@pytest.mark.core
def test_one_line_is_enough(site):
    got = site.psql(DELETE + ";\n")
    line = next(l for l in got.stderr.splitlines() if l.startswith("ERROR:"))
    assert "chaperone refused (rule no-unbounded-delete, d-" in line and "WHERE" in line and "encounter" in line
    assert "LINE 1: DELETE FROM encounter" in got.stderr


@pytest.mark.core
def test_the_caret_stands_under_the_second_statement(client):
    text = "SELECT 1;\n  DELETE FROM encounter"
    assert wire.errors(client.query(text))[0]["P"] == str(text.index("DELETE") + 1)


@pytest.mark.core
@pytest.mark.parametrize("statement,name", [
    ("SELECT id FROM patient p JOIN pateint q USING (id)", "pateint"),
    ("SELECT q.id FROM public.pateint q", "public.pateint"),
    ("UPDATE pateint SET id = 1 WHERE id = 2", "pateint"),
])
def test_an_unknown_relation_is_named(client, statement, name):
    error = wire.errors(client.query(statement))[0]
    assert f" {name} is not in the catalogue" in error["M"], error
    assert error["P"] == str(statement.index(name) + 1)


@pytest.mark.core
def test_the_connection_survives(client):
    assert wire.status(client.query(DELETE)) == "I"
    assert wire.rows(client.query("SELECT 41 + 1")) == [[b"42"]]


CASES = [
    ("DROP TABLE patient", "", "42501"),
    ("GRANT SELECT ON patient TO public", "", "42501"),
    ("SELECT upper(ssn) FROM patient", "", "42501"),
    ("SELECT ssn || '' FROM patient", "", "42501"),
    ("SELECT p FROM patient p", "", "42501"),
    ("SELECT to_json(p) FROM patient p", "", "42501"),
    ("SELECT string_agg(ssn, ',') FROM patient", "", "42501"),
    ("SELECT min(ssn) FROM patient", "", "42501"),
    ("SELECT id FROM patient WHERE ssn LIKE '1%'", "", "42501"),
    ("SELECT id FROM patient ORDER BY ssn", "", "42501"),
    ("SELECT ssn FROM patient UNION SELECT city FROM patient", "", "42501"),
    ("SELECT (SELECT ssn FROM patient WHERE id = 1)", "", "42501"),
    ("UPDATE patient SET notes = ssn WHERE id = 1", "", "42501"),
    ("INSERT INTO encounter SELECT 99999, id, ssn, 'x', now(), 1 FROM patient WHERE id = 1", "", "42501"),
    ("CREATE TABLE copy AS SELECT ssn FROM patient", "", "42501"),
    ("SELECT ssn INTO copy FROM patient", "", "42501"),
    ("COPY (SELECT upper(ssn) FROM patient) TO STDOUT", "", "42501"),
    ("COPY patient TO '/tmp/x'", "", None),
    ("SELECT pg_read_file('/etc/passwd')", "", "42501"),
    ("SELECT set_config('search_path', 'evil', false)", "", "42501"),
    ("SET client_encoding = 'SJIS'", "", "42501"),
    ("SET standard_conforming_strings = off", "", "42501"),
    ("SET role = 'owner'", "", "42501"),
    ("SET session_replication_role = 'replica'", "", "42501"),
    ("SELECT most_common_vals FROM pg_stats WHERE tablename = 'patient'", "", "42501"),
    ("SELECT query FROM pg_stat_activity", "", "42501"),
    ("LISTEN x", "", "42501"),
    ("SELECT query_to_xml('select ssn from patient', true, false, '')", "", "42501"),
    ("SELECT selec", "", "42501"),
    ("SELEC 1", "", "42501"),
    ("EXPLAIN ANALYZE SELECT id FROM patient WHERE ssn > '2'", "", "42501"),
]


@pytest.mark.core
@pytest.mark.parametrize("statement,rule,state", CASES)
@pytest.mark.parametrize("extended", [False, True])
def test_refused(site, client, statement, rule, state, extended):
    if extended:
        got = client.ask(wire.parse(statement), wire.bind(), wire.describe(), wire.execute(), wire.SYNC)
    else:
        got = client.query(statement)
    assert len(wire.errors(got)) == 1, (statement, got)
    error = wire.errors(got)[0]
    assert error["M"].startswith("chaperone refused ("), error
    assert rule in error["M"] and ", d-" in error["M"]
    assert state is None or error["C"] == state, error
    assert not wire.rows(got)
    assert wire.rows(client.query("SELECT 1")) == [[b"1"]]
    assert not any(c.encode() in bytes(client.seen) for c in site.canaries())


INSERT = "INSERT INTO encounter VALUES ({}, 1, 'MRN00000001', 'radiology', now(), 1)"


@pytest.mark.core
def test_pipelined_insert_refused_sync_leaves_no_row(site, client):
    got = client.ask(wire.parse(INSERT.format(90001)), wire.bind(), wire.execute(),
                     wire.parse(DELETE, "bad"), wire.bind(statement="bad"), wire.execute(), wire.SYNC)
    assert wire.tags(got) == "12CEZ" and wire.status(got) == "I", got
    assert counting(site, "id = 90001") == "0"
    got = client.ask(wire.query(INSERT.format(90002) + "; " + DELETE))
    assert wire.errors(got) and counting(site, "id = 90002") == "0"
    assert not wire.errors(client.query(INSERT.format(90003)))  # alone it is allowed
    assert counting(site, "id = 90003") == "1"


@pytest.mark.core
def test_begin_insert_refused_commit_leaves_no_row(site, client):
    client.query("BEGIN")
    assert not wire.errors(client.query(INSERT.format(90004)))
    assert wire.status(client.query(DELETE)) == "E"
    assert ("C", b"ROLLBACK\0") in client.query("COMMIT")
    assert counting(site, "id = 90004") == "0"


@pytest.mark.core
def test_begin_refused_commit_rolls_back(client):
    assert wire.status(client.query("BEGIN")) == "T"
    refused = client.query(DELETE)
    assert wire.status(refused) == "E" and "chaperone refused" in wire.errors(refused)[0]["M"]
    aborted = client.query("SELECT 1")
    assert wire.errors(aborted)[0]["C"] == "25P02"
    done = client.query("COMMIT")
    assert ("C", b"ROLLBACK\0") in done and wire.status(done) == "I"


@pytest.mark.core
def test_rollback_to_savepoint_goes_on(client):
    client.query("BEGIN")
    client.query("SAVEPOINT s")
    assert wire.status(client.query(DELETE)) == "E"
    assert wire.status(client.query("ROLLBACK TO SAVEPOINT s")) == "T"
    assert wire.rows(client.query("SELECT 1")) == [[b"1"]]
    assert wire.status(client.query("COMMIT")) == "I"


def test_on_error_rollback_of_psql(site):
    got = site.psql(f"\\set ON_ERROR_ROLLBACK on\nBEGIN;\nSELECT 1;\n{DELETE};\nSELECT 2;\nCOMMIT;\n", "dana", "-At")
    assert got.stdout.split() == ["BEGIN", "1", "2", "COMMIT"]


def test_everything_up_to_sync_is_discarded(client):
    got = client.ask(wire.parse(DELETE), wire.bind(), wire.execute(), wire.parse("SELECT 1", "later"), wire.SYNC)
    assert wire.tags(got) == "EZ"
    got = client.ask(wire.bind(statement="later"), wire.execute(), wire.SYNC)
    assert wire.tags(got) == "EZ"  # it was never made


def test_a_function_call_is_refused(client):
    got = client.ask(wire.message("F", b"\0\0\0\1" + b"\0" * 6))
    assert wire.errors(got)[0]["C"] == "0A000" and wire.status(got) == "I"


def test_replication_is_refused(site):
    with pytest.raises(PermissionError) as caught:
        site.wire(replication="true")
    assert caught.value.args[0]["C"] == "0A000"


def test_startup_settings_are_on_a_list(site):
    with pytest.raises(PermissionError):
        site.wire(options="-c session_replication_role=replica")
    c = site.wire(options="-c statement_timeout=7s -c chaperone.purpose=treatment", DateStyle="German")
    assert wire.rows(c.query("SHOW statement_timeout")) == [[b"7s"]]
    assert wire.rows(c.query("SHOW chaperone.purpose")) == [[b"treatment"]]
    c.close()


def test_search_path_is_followed(site, client):
    site.pg.sql("CREATE SCHEMA IF NOT EXISTS other; CREATE TABLE IF NOT EXISTS other.patient (id int, ssn int); "
                "GRANT USAGE ON SCHEMA other TO gate_ehr; GRANT SELECT ON other.patient TO gate_ehr")
    assert not wire.errors(client.query("SET search_path = other, public"))
    got = client.query("SELECT id, ssn FROM patient")
    assert wire.rows(got) == [] and not wire.errors(got)
    assert not wire.errors(client.query("RESET search_path"))
    assert wire.rows(client.query("SELECT count(*) FROM patient")) == [[b"250"]]  # public's again
    refused = client.query("BEGIN; SET search_path = public")
    assert wire.errors(refused)
    client.query("ROLLBACK")


@pytest.mark.core
@pytest.mark.parametrize("all_", ["SELECT pg_advisory_unlock_all(); CLOSE ALL; UNLISTEN *; RESET ALL;", "DISCARD ALL"])
def test_what_pools_send_between_two_borrowers(site, all_):
    c = site.wire(options="-c chaperone.purpose=treatment")
    c.query("SET search_path = pg_catalog")
    c.query("SET chaperone.purpose = 'research'")
    assert wire.errors(c.query("SELECT city FROM patient"))
    assert not wire.errors(c.query(all_))
    assert wire.rows(c.query("SELECT count(*) FROM patient")) == [[b"250"]]  # search_path is back
    assert wire.rows(c.query("SHOW chaperone.purpose")) == [[b"treatment"]]
    assert wire.rows(c.query("SHOW client_encoding")) == [[b"UTF8"]]
    assert wire.rows(c.query("SHOW standard_conforming_strings")) == [[b"on"]]
    assert wire.rows(c.query("SELECT ssn FROM patient WHERE id = 1"))[0][0].startswith("▒".encode())
    c.query("BEGIN")
    refused = c.query(all_)
    assert "not inside a transaction" in wire.errors(refused)[0]["M"], refused
    c.query("ROLLBACK")
    assert "only as the last statement" in wire.errors(c.query(all_ + "; SELECT 1"))[0]["M"]
    c.close()


def test_errors_of_the_server_carry_no_values(site, client):
    ssn = site.people[0]["ssn"]
    got = client.query(f"SELECT id FROM patient WHERE id = '{ssn}x'::text::int")
    text = str(wire.errors(got))
    assert wire.errors(got)[0]["C"] == "22P02" and ssn not in text and "withheld" in text
    got = client.query("SELECT no_such_column FROM patient")
    assert wire.errors(got)


def test_django_like_atomic_goes_on(site):
    with psycopg.connect(site.url()) as conn:
        with conn.transaction():
            try:
                with conn.transaction():
                    conn.execute(DELETE)
            except psycopg.errors.InsufficientPrivilege as refused:
                assert "chaperone refused" in str(refused)
            assert conn.execute("SELECT 1").fetchone() == (1,)
