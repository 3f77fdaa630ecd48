"""The traps that leaked in trials: nothing protected comes out, nothing real is overwritten."""
import time

import psycopg
import pytest
import wire


def clean(site, client):
    seen = bytes(client.seen)
    return not any(canary.encode() in seen for canary in site.canaries())


@pytest.fixture
def scratch(site):
    """A table that a test may rename and redefine."""
    site.pg.sql("DROP VIEW IF EXISTS v; DROP TABLE IF EXISTS scratch; "
                "CREATE TABLE scratch AS SELECT id, city, ssn FROM patient; ALTER TABLE scratch ADD PRIMARY KEY (id); "
                "CREATE VIEW v AS SELECT id, city FROM patient; GRANT ALL ON scratch, v TO gate_ehr")
    yield
    site.pg.sql("DROP VIEW IF EXISTS v; DROP TABLE IF EXISTS scratch")


@pytest.mark.core
@pytest.mark.parametrize("describe", [False, True])
def test_column_renamed_between_parse_and_execute(site, scratch, client, describe):
    got = client.ask(wire.parse("SELECT city FROM scratch WHERE id < 5", "s"), wire.SYNC)
    assert not wire.errors(got), got
    site.pg.sql("ALTER TABLE scratch RENAME city TO town; ALTER TABLE scratch RENAME ssn TO city")
    steps = [wire.bind(statement="s")] + ([wire.describe()] if describe else []) + [wire.execute(), wire.SYNC]
    try:
        client.ask(*steps)
    except wire.ServerClosed:
        pass
    assert clean(site, client)
    site.pg.sql("ALTER TABLE scratch RENAME city TO ssn; ALTER TABLE scratch RENAME town TO city")


@pytest.mark.core
def test_view_redefined(site, scratch, client):
    assert not wire.errors(client.query("SELECT city FROM v WHERE id = 1"))
    site.pg.sql("CREATE OR REPLACE VIEW v AS SELECT id, ssn::text AS city FROM patient")
    time.sleep(3)  # the fingerprint of the catalogue is compared every 2 s
    got = client.query("SELECT city FROM v WHERE id = 1")
    assert clean(site, client), got
    assert all(value in ([None], ["▒▒▒▒▒".encode()]) for value in wire.rows(got))


@pytest.mark.core
def test_search_path_swaps_the_table(site, client):
    site.pg.sql("CREATE SCHEMA IF NOT EXISTS swap; DROP TABLE IF EXISTS swap.encounter; "
                "CREATE TABLE swap.encounter AS SELECT id, ssn AS department FROM patient; "
                "GRANT USAGE ON SCHEMA swap TO gate_ehr; GRANT SELECT ON swap.encounter TO gate_ehr")
    client.ask(wire.parse("SELECT department FROM encounter WHERE id < 5", "s"), wire.SYNC)
    client.query("SET search_path = swap, public")
    client.ask(wire.bind(statement="s"), wire.execute(), wire.SYNC)
    client.query("SET search_path = public")
    assert clean(site, client)


@pytest.mark.core
def test_cursors_and_prepared_statements_share_names(site, client):
    client.query("BEGIN")
    client.query("DECLARE cc CURSOR FOR SELECT ssn FROM patient ORDER BY id")
    got = client.ask(wire.execute("cc", 3), wire.SYNC)
    assert [r == ["▒▒▒▒▒      ".encode()] for r in wire.rows(got)] == [True] * 3, got
    got = client.query("FETCH 2 FROM cc")
    assert len(wire.rows(got)) == 2
    client.query("ROLLBACK")
    client.query("PREPARE zz AS SELECT ssn FROM patient WHERE id = $1")
    got = client.ask(wire.bind([1], "zz"), wire.execute(), wire.SYNC)
    assert len(wire.rows(got)) == 1
    assert len(wire.rows(client.query("EXECUTE zz(2)"))) == 1
    client.ask(wire.parse("SELECT mrn FROM patient WHERE id = 1", "w1"), wire.SYNC)
    assert wire.rows(client.query("EXECUTE w1"))[0][0].startswith(b"MRN-")
    client.query("DEALLOCATE ALL")
    assert wire.errors(client.query("EXECUTE w1"))
    assert clean(site, client)


@pytest.mark.core
def test_a_cursor_with_hold_outlives_its_transaction(site, client):
    client.query("BEGIN")
    client.query("DECLARE keep CURSOR WITH HOLD FOR SELECT ssn FROM patient ORDER BY id")
    client.query("COMMIT")
    got = client.query("FETCH 2 FROM keep")
    assert len(wire.rows(got)) == 2, got
    assert not wire.errors(client.query("CLOSE keep"))
    assert clean(site, client)


@pytest.mark.core
def test_portal_outlives_its_statement_and_rows_come_in_parts(site, client):
    client.query("BEGIN")
    client.ask(wire.parse("SELECT ssn FROM patient ORDER BY id", "s"), wire.bind(statement="s", portal="p"),
               wire.close("s"), wire.SYNC)
    for _ in range(3):
        got = client.ask(wire.execute("p", 2), wire.SYNC)
        assert wire.tags(got) in ("DDsZ", "DDNsZ"), got
    client.query("COMMIT")
    assert clean(site, client)


@pytest.mark.core
def test_one_parse_many_binds(site, client):
    steps = [wire.parse("SELECT ssn, city FROM patient WHERE id = $1", "many")]
    for n in range(1, 40):
        steps += [wire.bind([n], "many"), wire.execute()]
    got = client.ask(*steps, wire.SYNC)
    assert [r[1].decode() for r in wire.rows(got)] == [p["city"] for p in site.people[:39]]
    assert clean(site, client)


def test_a_masked_row_saved_back_is_refused(site):
    before = site.pg.value("SELECT last_name || mrn || phone FROM patient WHERE id = 3")
    with psycopg.connect(site.url(), autocommit=True) as conn:
        mrn, last_name, phone = conn.execute("SELECT mrn, last_name, phone FROM patient WHERE id = 3").fetchone()
        for column, value in (("mrn", mrn), ("last_name", last_name), ("phone", phone), ("notes", last_name)):
            with pytest.raises(psycopg.Error) as refused:
                conn.execute(f"UPDATE patient SET {column} = %s WHERE id = 3", (value,))
            assert "chaperone refused" in str(refused.value), refused.value
            with pytest.raises(psycopg.Error):
                conn.execute(f"UPDATE patient SET {column} = '{value}' WHERE id = 3")
    assert site.pg.value("SELECT last_name || mrn || phone FROM patient WHERE id = 3") == before


def test_unclassified_columns_are_null(site):
    got = site.psql("SELECT notes FROM patient WHERE id = 1;", "dana", "-At", "-P", "null=NULL")
    assert got.stdout.strip() == "NULL" and "notes (null, unclassified)" in got.stderr


@pytest.mark.core
def test_a_new_table_is_known_and_unclassified(site, client):
    site.pg.sql("DROP TABLE IF EXISTS fresh; CREATE TABLE fresh AS SELECT id, ssn AS code FROM patient; "
                "GRANT SELECT ON fresh TO gate_ehr")
    got = client.query("SELECT id, code FROM fresh WHERE id = 1")
    assert wire.rows(got) == [[b"1", None]], got
    assert clean(site, client)
