"""A row that is too long to be masked ends its statement: in error for the client, and on the server."""
import psycopg
import pytest
import wire

LONG = "SELECT repeat('x', 3000000)"
WRITE = "UPDATE encounter SET department = '{}' WHERE id = 7"


def extended(*statements, name=""):
    for statement in statements:
        yield from (wire.parse(statement), wire.bind(), wire.describe(), wire.execute())


def department(site):
    return site.pg.value("SELECT department FROM encounter WHERE id = 7")


def is_withheld(got):
    found = wire.errors(got)
    return len(found) == 1 and "CHP-5202" in found[0]["M"] and "longer than 1 MiB" in found[0]["M"]


@pytest.mark.core
def test_the_statement_ends_and_the_session_goes_on(client):
    got = client.query(LONG)
    assert wire.tags(got) == "TEZ" and is_withheld(got) and wire.status(got) == "I"
    got = client.ask(*extended(LONG), wire.SYNC)
    assert wire.tags(got) == "12TEZ" and is_withheld(got) and wire.status(got) == "I"
    assert wire.rows(client.query("SELECT 41 + 1")) == [[b"42"]]


def test_rows_before_it_have_left_and_none_after(client):
    got = client.query("SELECT repeat('x', CASE n WHEN 3 THEN 3000000 ELSE n END) FROM generate_series(1, 5) n")
    assert wire.rows(got) == [[b"x"], [b"xx"]] and is_withheld(got)


@pytest.mark.core
def test_a_transaction_has_failed_on_the_server_too(site, client):
    before = department(site)
    client.query("BEGIN")
    client.query(WRITE.format("lost"))
    got = client.query(LONG)
    assert is_withheld(got) and wire.status(got) == "E"
    assert wire.errors(client.query("SELECT 1"))[0]["C"] == "25P02"
    assert dict(client.query("COMMIT"))["C"] == b"ROLLBACK\0"
    assert department(site) == before


def test_a_savepoint_brings_it_back(site, client):
    before = department(site)
    client.query("BEGIN")
    client.query("SAVEPOINT s")
    got = client.ask(*extended(LONG), wire.SYNC)
    assert is_withheld(got) and wire.status(got) == "E"
    assert wire.status(client.query("ROLLBACK TO SAVEPOINT s")) == "T"
    client.query(WRITE.format("kept"))
    assert wire.status(client.query("COMMIT")) == "I"
    assert department(site) == "kept"
    site.pg.value(f"UPDATE encounter SET department = '{before}' WHERE id = 7 RETURNING 1")


@pytest.mark.core
def test_a_pipeline_before_its_sync_is_undone(site, client):
    before = department(site)
    client.send(*extended(WRITE.format("lost"), LONG, WRITE.format("lost, too")), wire.FLUSH)
    got = client.until("E")
    assert is_withheld(got)
    got = client.ask(wire.SYNC)
    assert wire.tags(got) == "Z" and wire.status(got) == "I"
    assert department(site) == before


def test_what_is_committed_already_ends_the_session(site, client):
    """The client must not be told that a write failed which did not."""
    before = department(site)
    client.send(*extended(WRITE.format("committed"), LONG), wire.SYNC)
    got = client.until("E")
    assert "the session ends" in wire.errors(got)[0]["M"]
    with pytest.raises(wire.ServerClosed):
        client.until("Z")
    site.pg.value(f"UPDATE encounter SET department = '{before}' WHERE id = 7 RETURNING 1")


def test_psycopg_sees_an_error_like_any_other(site):
    with psycopg.connect(site.url(), autocommit=True) as connection:
        with pytest.raises(psycopg.errors.InternalError, match="CHP-5202"):
            connection.execute(LONG)
        with connection.transaction():
            with pytest.raises(psycopg.errors.InternalError, match="CHP-5202"):
                with connection.transaction():
                    connection.execute(LONG)
            assert connection.execute("SELECT 42").fetchone() == (42,)
