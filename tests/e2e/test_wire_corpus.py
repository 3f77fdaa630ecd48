"""Every case of postgres_wire.json, walked on a real server: what the statement's text alone does not show.

The table below has one function for each case; a case that the corpus has and the table has not fails.
"""
import json
import socket
import struct

import pytest

import conftest
import stack
import wire

CORPUS = stack.ROOT.parent / "shared/data/bypass/postgres_wire.json"
ROLES = """  - name: reader
    members: ["agent:ai-reader"]
    allow: [{resources: [ehr], actions: [read]}]
    masking: analyst
"""
SSN = "SELECT ssn FROM patient WHERE id = 1"
NOTE = "UPDATE encounter SET department = '{}' WHERE patient_id = 1"
PHONE = "UPDATE patient SET phone = {} WHERE id = 2"


@pytest.fixture(scope="module")
def site():
    with stack.temporary_folder() as folder:
        made = conftest.Site(folder, extra_roles=ROLES)
        out = made.gate.cli("agent", "add", "ai-reader", "--owner", "dana", "--purpose", "treatment", "--expires", "2031-01-31")
        made.tokens["ai-reader"] = out.stdout.strip().split()[-1]
        try:
            yield made
        finally:
            assert made.close() == 0


@pytest.fixture
def reader(site):
    c = site.wire("ai-reader")
    yield c
    c.close()


@pytest.fixture
def agent(site):
    c = site.wire("ai-triage")
    yield c
    c.close()


def written(site, word):
    return site.pg.value(f"SELECT count(*) FROM encounter WHERE department = '{word}'") != "0"


def phone(site, n=2):
    return site.pg.value(f"SELECT phone FROM patient WHERE id = {n}")


def ssn_stays(site, client):
    assert all(person["ssn"].encode() not in bytes(client.seen) for person in site.people)


def requests(got):
    return [e["M"].split("request ")[1].split()[0].rstrip(".;,") for e in wire.errors(got) if "request r-" in e["M"]]


def several_in_a_simple_query(site, reader, agent, client):
    got = reader.query("SELECT 1; " + NOTE.format("w0"))
    assert wire.errors(got) and not wire.rows(got) and wire.status(got) == "I" and not written(site, "w0")
    got = client.query("SELECT 1; " + NOTE.format("w0"))
    assert wire.tags(got) == "TDCCZ" and written(site, "w0")


def queries_before_any_reply(site, reader, agent, client):
    reader.send(wire.query("SELECT 1"), wire.query(NOTE.format("w1")), wire.query("SELECT 2"))
    first, second, third = reader.until(), reader.until(), reader.until()
    assert wire.rows(first) == [[b"1"]] and wire.rows(third) == [[b"2"]]
    assert wire.errors(second) and not wire.errors(first + third) and not written(site, "w1")


def one_parse_many_binds(site, reader, agent, client):
    """Each Execute is a decision of its own: another value is another request."""
    runs = lambda value: [wire.bind([value], "s"), wire.execute()]  # noqa: E731
    before = phone(site)
    first = requests(agent.ask(wire.parse(PHONE.format("$1"), "s"), *runs(b"w2-one"), wire.SYNC))
    second = requests(agent.ask(*runs(b"w2-two"), wire.SYNC))
    assert len(first) == len(second) == 1 and first != second and phone(site) == before
    site.gate.cli("approve", second[0], token=site.tokens["pat"])
    assert requests(agent.ask(*runs(b"w2-one"), wire.SYNC)) and phone(site) == before
    assert not wire.errors(agent.ask(*runs(b"w2-two"), wire.SYNC)) and phone(site) == "w2-two"


def prepared_in_sql_bound_on_the_wire(site, reader, agent, client):
    before = phone(site)
    for c in (reader, agent):
        c.query("PREPARE zz AS " + PHONE.format("'w3'"))
        got = c.ask(wire.bind(statement="zz"), wire.execute(), wire.SYNC)
        assert wire.errors(got) and "C" not in wire.tags(got) and phone(site) == before


def parsed_on_the_wire_executed_in_sql(site, reader, agent, client):
    before = phone(site)
    for c in (reader, agent):
        c.ask(wire.parse(PHONE.format("'w4'"), "w4"), wire.SYNC)
        got = c.query("EXECUTE w4")
        assert wire.errors(got) and "C" not in wire.tags(got) and phone(site) == before


def declared_in_sql_fetched_on_the_wire(site, reader, agent, client):
    client.query("BEGIN")
    client.query("DECLARE cc CURSOR FOR " + SSN)
    got = client.ask(wire.execute("cc"), wire.SYNC)
    assert [set(cell.decode().strip()) for row in wire.rows(got) for cell in row] == [{"▒"}], got
    ssn_stays(site, client)
    client.query("ROLLBACK")


def a_portal_outlives_its_statement(site, reader, agent, client):
    got = client.ask(wire.parse(SSN, "p6"), wire.bind(statement="p6", portal="pp"), wire.close("p6"), wire.describe("pp"),
                     wire.execute("pp"), wire.SYNC)
    assert not wire.errors(got) and len(wire.rows(got)) == 1, got
    ssn_stays(site, client)
    got = reader.ask(wire.parse(NOTE.format("w6"), "p6"), wire.bind(statement="p6", portal="pp"), wire.close("p6"),
                     wire.execute("pp"), wire.SYNC)
    assert wire.errors(got) and not written(site, "w6")


def a_function_call(site, reader, agent, client):
    site.pg.sql("CREATE FUNCTION f_side() RETURNS int LANGUAGE sql AS "
                "$$ UPDATE encounter SET department = 'w7'; SELECT 1 $$")
    oid = int(site.pg.value("SELECT 'f_side'::regproc::oid"))
    got = client.ask(wire.message("F", struct.pack("!IHHH", oid, 0, 0, 0)))
    assert wire.errors(got)[0]["C"] == "0A000" and wire.status(got) == "I" and not written(site, "w7")


def replication(site, reader, agent, client):
    for value in ("true", "database"):
        with pytest.raises(PermissionError) as caught:
            site.wire(replication=value)
        assert caught.value.args[0]["C"] == "0A000"


def a_nul_inside(site, reader, agent, client):
    got = client.ask(wire.message("Q", b"select 1\0; " + NOTE.format("w9").encode() + b"\0"))
    assert wire.errors(got) and not wire.rows(got) and not written(site, "w9")


def two_statements_in_a_parse(site, reader, agent, client):
    got = client.ask(wire.parse("SELECT 1; " + NOTE.format("w10")), wire.bind(), wire.execute(), wire.SYNC)
    assert wire.errors(got) and not written(site, "w10")


def nothing_until_sync(site, reader, agent, client):
    got = client.ask(wire.parse("SELEC"), wire.query(NOTE.format("w11")), wire.SYNC)
    assert wire.tags(got) == "EZ" and not written(site, "w11")
    assert wire.rows(client.query("SELECT 1")) == [[b"1"]]


def openings_in_mid_session(site, reader, agent, client):
    startup = struct.pack("!II", 9, 3 << 16) + b"\0"
    for opening in (struct.pack("!II", 8, 80877103), struct.pack("!II", 8, 80877104), startup):
        c = site.wire()
        c.send(opening)
        got = c.until("E")
        assert wire.fields(got[-1][1])["S"] == "FATAL"
        c.close()
    with socket.create_connection(("127.0.0.1", site.gate.port), 10) as s:
        s.sendall(struct.pack("!II", 8, 80877103) + wire.query(NOTE.format("w12")))
        s.shutdown(socket.SHUT_WR)
        while s.recv(4096):
            pass
    assert not written(site, "w12")


def a_guessed_key(site, reader, agent, client):
    client.send(wire.query("SELECT pg_sleep(1.5)"))
    pid, key = client.key
    for guess in (bytes(len(key)), bytes([key[0] ^ 1]) + key[1:], key[:-1]):
        wire.cancel(site.gate.port, (pid, guess))
    assert not wire.errors(client.until())


def copy_data_after_its_end(site, reader, agent, client):
    copies = "COPY encounter (id, patient_id, patient_mrn, department, started_at, length_hours) FROM STDIN"
    client.send(wire.query(copies))
    hidden = wire.query(NOTE.format("w14"))
    assert client.until("GEZ")[-1][0] in "GE"
    client.send(wire.message("f", wire.cstring("enough")), wire.message("d", hidden), wire.message("c"),
                wire.message("d", hidden))
    client.until("Z")
    assert wire.rows(client.query("SELECT 1")) == [[b"1"]] and not written(site, "w14")


CASES = {
    "'Q' select 1; update t set n=1": several_in_a_simple_query,
    "'Q' 'Q' pipelined before any reply": queries_before_any_reply,
    "'P' s; 'B' 'E' 'B' 'E' 'S' (one Parse, many Binds)": one_parse_many_binds,
    "SQL PREPARE zz as update; then wire 'B' zz 'E'": prepared_in_sql_bound_on_the_wire,
    "wire 'P' w1 update; then 'Q' execute w1": parsed_on_the_wire_executed_in_sql,
    "'Q' begin; declare cc cursor for select ssn from t; wire 'E' cc": declared_in_sql_fetched_on_the_wire,
    "'B' portal pp; 'C' close statement; 'E' pp": a_portal_outlives_its_statement,
    "'F' FunctionCall oid of f_side": a_function_call,
    "startup replication=true|database: START_REPLICATION, BASE_BACKUP, READ_REPLICATION_SLOT, SHOW": replication,
    "'Q' with embedded NUL: select 1\\0; update t": a_nul_inside,
    "'P' with two statements": two_statements_in_a_parse,
    "'P' bad SQL; 'Q' update; 'S'": nothing_until_sync,
    "SSLRequest / GSSENCRequest / second StartupMessage mid-session; bytes pipelined after SSLRequest before TLS":
        openings_in_mid_session,
    "CancelRequest with guessed key on a new connection": a_guessed_key,
    "CopyData frames containing bytes that look like messages, after CopyFail/CopyDone": copy_data_after_its_end,
}


@pytest.mark.core
@pytest.mark.parametrize("case", CASES, ids=lambda case: CASES[case].__name__)
def test_case(site, reader, agent, client, case):
    CASES[case](site, reader, agent, client)


def test_all_cases_of_the_corpus_are_here():
    if not CORPUS.exists():
        pytest.skip(f"{CORPUS.name} is not here: the corpus itself was not compared")
    assert {case["input"] for case in json.loads(CORPUS.read_text())} == set(CASES)
