"""COPY from the client: stored as a direct connection would, refused whole where a mask comes back."""
import io
import struct
import time

import psycopg
import psycopg2
import pytest
import stack
import wire

MASK = "▒▒▒▒▒"
ROWS = [(1, "Ada"), (2, None), (3, ""), (4, "a\tb\\c\nd"), (5, 'q"q'), (6, "\\N")]


@pytest.fixture(scope="module", autouse=True)
def table(site):
    site.pg.sql("CREATE TABLE bulk (id int PRIMARY KEY, last_name text); GRANT ALL ON bulk TO gate_ehr")
    time.sleep(3)  # the catalogue is compared every 2 s
    yield
    site.pg.sql("DROP TABLE bulk")


@pytest.fixture(autouse=True)
def empty(site):
    site.pg.sql("TRUNCATE bulk")


def stored(site):
    with psycopg.connect(site.pg.url()) as c:
        return c.execute("SELECT id, last_name FROM bulk ORDER BY id").fetchall()


def data(*parts):
    return [wire.message("d", part if isinstance(part, bytes) else part.encode()) for part in parts]


DONE, FAIL = wire.message("c"), wire.message("f", b"enough\0")


def begin(client, statement="COPY bulk FROM STDIN"):
    client.send(wire.query(statement))
    got = client.until("GZ")
    assert got[-1][0] == "G", got


@pytest.mark.core
@pytest.mark.parametrize("form", ["", "(FORMAT csv)", "(FORMAT csv, QUOTE '''', ESCAPE '\\', DELIMITER ';', NULL 'x')",
                                  "(FORMAT binary)"])
def test_what_went_out_comes_in(site, form):
    """A direct COPY out, byte for byte through the gateway in."""
    site.pg.sql("CREATE TABLE source (LIKE bulk)")
    try:
        with psycopg.connect(site.pg.url()) as c:
            c.cursor().executemany("INSERT INTO source VALUES (%s, %s)", ROWS)
            with c.cursor().copy(f"COPY source TO STDOUT {form}") as copy:
                content = b"".join(bytes(block) for block in copy)
    finally:
        site.pg.sql("DROP TABLE source")
    for size in (1, 7, len(content)):
        site.pg.sql("TRUNCATE bulk")
        with psycopg.connect(site.url()) as c, c.cursor().copy(f"COPY bulk FROM STDIN {form}") as copy:
            for at in range(0, len(content), size):
                copy.write(content[at:at + size])
        assert stored(site) == ROWS


@pytest.mark.core
def test_psql_and_drivers(site, tmp_path):
    file = tmp_path / "in.csv"
    file.write_text("id,last_name\n1,Ada\n2,\n")
    done = site.psql(f"\\copy bulk FROM '{file}' WITH (FORMAT csv, HEADER)\nCOPY bulk FROM STDIN;\n3\tBea\n\\.\nSELECT 7;\n")
    assert done.stdout.count("COPY ") == 2 and "7" in done.stdout, done
    c = psycopg2.connect(site.url())
    c.cursor().copy_expert("COPY bulk FROM STDIN", io.StringIO("4\tCid\n"))
    c.commit()
    c.close()
    with psycopg.connect(site.url()) as c, c.cursor().copy("COPY bulk (id, last_name) FROM STDIN (FORMAT binary)") as copy:
        copy.set_types(["int4", "text"])
        for n in range(5, 1005):
            copy.write_row((n, f"n{n}"))
    assert len(stored(site)) == 1004 and stored(site)[:4] == [(1, "Ada"), (2, None), (3, "Bea"), (4, "Cid")]


def tuple_of(*values):
    raw = b"PGCOPY\n\xff\r\n\0" + struct.pack("!IIH", 0, 0, len(values))
    return raw + b"".join(struct.pack("!I", len(v)) + v for v in values) + b"\xff\xff"


OCTAL = "".join("\\%o" % byte for byte in "▒".encode())
BACK = [("", f"1\tAda\n2\t{MASK}\n"), ("", f"1\t{OCTAL}\n"), ("", f"1\t{MASK}"), ("", "1\tMRN-7F3A2CQ4W9T2K8PN\n"),
        ("(FORMAT csv)", f'1,"a ""{MASK}"\n'), ("(FORMAT csv, DELIMITER ';')", f"1;{MASK}\n"),
        ("(FORMAT binary)", tuple_of(struct.pack("!I", 1), MASK.encode()))]


@pytest.mark.core
@pytest.mark.parametrize("form, content", BACK)
@pytest.mark.parametrize("cut", [False, True])
def test_a_mask_never_comes_back(site, client, form, content, cut):
    raw = content if isinstance(content, bytes) else content.encode()
    begin(client, f"COPY bulk FROM STDIN {form}")
    got = client.ask(*(data(*[raw[i:i + 1] for i in range(len(raw))]) if cut else data(raw)), *data("9\tZ\n"), DONE)
    assert wire.tags(got) == "EZ" and "holds a mask" in wire.errors(got)[0]["M"] and wire.status(got) == "I"
    assert wire.rows(client.query("SELECT 1")) == [[b"1"]] and stored(site) == []


@pytest.mark.core
def test_a_transaction_fails_with_it(site, client):
    client.query("BEGIN")
    begin(client)
    got = client.ask(*data("1\tAda\n"), *data(f"2\t{MASK}\n"), DONE)
    assert wire.status(got) == "E"
    assert dict(client.query("COMMIT"))["C"] == b"ROLLBACK\0" and stored(site) == []


@pytest.mark.core
def test_the_client_and_the_server_end_it(site, client):
    begin(client)
    got = client.ask(*data("1\tAda\n"), FAIL)
    assert wire.tags(got) == "EZ" and wire.errors(got)[0]["C"] == "57014"
    begin(client)
    client.send(*data("1\tAda\n", "1\tBea\n", "no number\tCid\n"))
    got = client.ask(*data("3\tDea\n"), DONE)
    assert wire.tags(got) == "EZ" and wire.errors(got)[0]["C"] in ("22P02", "23505")
    assert "Bea" not in str(got) and "no number" not in str(got)
    assert wire.rows(client.query("SELECT 1")) == [[b"1"]] and stored(site) == []


@pytest.mark.core
def test_extended_protocol(site, client):
    steps = [wire.parse("COPY bulk FROM STDIN"), wire.bind(), wire.describe(), wire.execute(), wire.SYNC]
    client.send(*steps)
    assert wire.tags(client.until("G")) == "12nG"
    got = client.ask(*data("1\tAda\n"), wire.FLUSH, wire.SYNC, *data("2\tBea\n"), DONE, wire.SYNC)
    assert wire.tags(got) == "CZ" and stored(site) == [(1, "Ada"), (2, "Bea")]
    client.send(*steps)
    client.until("G")
    got = client.ask(*data(f"3\t{MASK}\n"), *data("4\tCid\n"), DONE, wire.parse("SELECT 1"), wire.bind(), wire.execute(), wire.SYNC)
    assert wire.tags(got) == "EZ" and "holds a mask" in wire.errors(got)[0]["M"]
    client.send(*steps)
    client.until("G")
    assert wire.tags(client.ask(FAIL, wire.SYNC)) == "EZ" and len(stored(site)) == 2
    got = client.ask(wire.parse("SELECT 1 / 0"), wire.bind(), wire.execute(), *steps[:2], wire.execute(), *data("5\tx\n"), DONE, wire.SYNC)
    assert wire.tags(got).endswith("EZ") and len(stored(site)) == 2


@pytest.mark.core
def test_other_messages_end_the_session(client):
    begin(client)
    with pytest.raises((wire.ServerClosed, ConnectionError)):
        client.ask(wire.query("SELECT 1"))
        client.query("SELECT 1")


def test_what_is_inside_the_data_stays_data(site, client):
    begin(client)
    inside = wire.query("DROP TABLE bulk")
    got = client.ask(*data(b"1\t" + inside.replace(b"\0", b"0") + b"\n"), DONE)
    assert wire.tags(got) == "CZ" and len(stored(site)) == 1


def test_goodbye_in_the_middle_stores_nothing(site):
    client = site.wire()
    begin(client)
    client.send(*data("1\tAda\n"), wire.TERMINATE)
    client.close()
    time.sleep(0.5)
    assert stored(site) == []


def test_cancelled(site):
    with psycopg.connect(site.url()) as c:
        with pytest.raises(psycopg.errors.QueryCanceled):
            with c.cursor().copy("COPY bulk FROM STDIN") as copy:
                copy.write("1\tAda\n")
                c.cancel()
                time.sleep(0.5)
                copy.write("2\tBea\n")
        c.rollback()
        assert c.execute("SELECT 1").fetchone() == (1,)
    assert stored(site) == []


@pytest.mark.core
def test_judged_as_a_write(site, client):
    got = client.query("COPY patient FROM STDIN")
    assert wire.tags(got) == "EZ" and "in part only" in wire.errors(got)[0]["M"]
    got = client.query("COPY bulk FROM STDIN; SELECT 1")
    assert wire.tags(got) == "EZ" and "one statement" in wire.errors(got)[0]["M"]
    got = client.query("COPY bulk FROM PROGRAM 'cat'")
    assert wire.tags(got) == "EZ"


@pytest.mark.core
def test_held_before_any_data(site, client):
    client.send(wire.query("COPY patient (id, last_name) FROM STDIN"))
    got = client.until("N")
    assert "waiting for approval" in wire.fields(got[-1][1])["M"]
    request = next(r for r in site.gate.json("approvals", token=site.tokens["pat"])["items"])
    site.gate.cli("deny", request["id"], "--reason", "no", token=site.tokens["pat"])
    got = client.until("Z")
    assert wire.tags(got).replace("N", "") == "EZ"


HELD = "COPY patient (id, first_name, last_name, city) FROM STDIN (FORMAT csv, DELIMITER '{}')"
NEW = "{0},Nova,Copied,Austin\n"
DEFAULTS = {"mrn": "'D' || trunc(random() * 1e9)", "birth_date": "'1980-02-03'", "sex": "'F'", "state": "'TX'", "zip": "'78701'",
            "ssn": "'9' || trunc(random() * 1e9)"}  # which dana sees in part only, and so cannot write


def request_of(site):
    return stack.wait_for(lambda: site.gate.json("approvals", token=site.tokens["pat"])["items"], 10)[0]["id"]


@pytest.fixture
def no_new_patients(site):
    site.pg.sql("".join(f"ALTER TABLE patient ALTER {name} SET DEFAULT {value};" for name, value in DEFAULTS.items()))
    yield
    site.pg.sql("DELETE FROM patient WHERE last_name = 'Copied';" +
                "".join(f"ALTER TABLE patient ALTER {name} DROP DEFAULT;" for name in DEFAULTS))


@pytest.mark.core
@pytest.mark.parametrize("extended", [False, True])
def test_held_and_then_approved(site, client, no_new_patients, extended):
    text = HELD.format(",")
    client.send(*([wire.parse(text), wire.bind(), wire.describe(), wire.execute(), wire.SYNC] if extended
                  else [wire.query(text)]))
    site.gate.cli("approve", request_of(site), token=site.tokens["pat"])
    got = client.until("GZ")
    assert got[-1][0] == "G" and "approved by pat; running" in wire.notices(got)[-1]["M"], got
    got = client.ask(*data(NEW.format(5001)), *data(NEW.format(5002)), DONE, *([wire.SYNC] if extended else []))
    assert dict(got)["C"] == b"COPY 2\0" and wire.status(got) == "I"
    assert site.pg.value("SELECT count(*) FROM patient WHERE last_name = 'Copied'") == "2"


@pytest.mark.core
def test_a_mask_fails_an_approved_one_too(site, client, no_new_patients):
    client.send(wire.query(HELD.format(",")))
    site.gate.cli("approve", request_of(site), token=site.tokens["pat"])
    assert client.until("GZ")[-1][0] == "G"
    got = client.ask(*data(NEW.format(5003)), *data(NEW.format(5004).replace("Nova", MASK)), DONE)
    assert wire.tags(got) == "EZ" and "holds a mask" in wire.errors(got)[0]["M"]
    assert site.pg.value("SELECT count(*) FROM patient WHERE last_name = 'Copied'") == "0"


@pytest.mark.core
def test_the_ticket_of_an_agent_is_for_one(site, no_new_patients):
    agent = site.wire("ai-triage")
    text = HELD.format(";")
    assert wire.errors(agent.query(text))[0]["R"] == "CHP-3202"
    agent.close()
    site.gate.cli("approve", request_of(site), token=site.tokens["pat"])
    agent = site.wire("ai-triage")
    begin(agent, text)
    got = agent.ask(*data(NEW.format(5005).replace(",", ";")), DONE)
    assert dict(got)["C"] == b"COPY 1\0" and wire.status(got) == "I"
    assert wire.errors(agent.query(text))[0]["R"] == "CHP-3202"  # used up
    site.gate.cli("deny", request_of(site), "--reason", "test", token=site.tokens["pat"])
    agent.close()
    assert site.pg.value("SELECT count(*) FROM patient WHERE last_name = 'Copied'") == "1"


def test_many_rows(site):
    with psycopg.connect(site.url()) as c, c.cursor().copy("COPY bulk FROM STDIN") as copy:
        for start in range(0, 300000, 1000):
            copy.write("".join(f"{n}\tname of {n}\n" for n in range(start, start + 1000)))
    assert site.pg.value("SELECT count(*), max(id) FROM bulk") == "300000|299999"


def test_it_is_in_the_record(site):
    with psycopg.connect(site.url()) as c:
        session = c.execute("SHOW chaperone.session").fetchone()[0]
        with c.cursor().copy("COPY bulk FROM STDIN") as copy:
            copy.write("1\tAda of the record\n")
    shown = site.gate.cli("session", "play", session, token=site.tokens["pat"]).stdout
    assert "data of the client, 20 bytes:" in shown and "Ada of the record" in shown and "COPY 1" in shown
    assert site.gate.cli("audit", "verify").returncode == 0
    for path in site.gate.folder.rglob("*"):
        assert not path.is_file() or b"Ada of the record" not in path.read_bytes(), path
