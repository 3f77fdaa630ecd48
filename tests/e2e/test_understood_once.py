"""What was understood is remembered: never for another database, never with another text's literals."""
import psycopg
import pytest
import stack
import wire


@pytest.fixture(scope="module")
def two():
    """Two databases behind one worker. `thing.v` is protected in ehr and clear in lab."""
    with stack.temporary_folder() as folder:
        pg = stack.Postgres(folder / "pg").start()
        pg.make_database("CREATE TABLE thing (id int, v text, w text); INSERT INTO thing VALUES (1, 'secret-v', 'plain-w')")
        pg.sql("CREATE DATABASE lab")
        pg.sql("CREATE TABLE filler (a int); CREATE TABLE thing (w text, v text, id int); "
               "INSERT INTO thing VALUES ('lab-w', 'lab-v', 1); GRANT SELECT ON thing TO gate_ehr", "lab")
        gate = stack.Gateway(folder / "gate", pg.port, workers=1)
        text = gate.config.read_text()
        lab = ("  - name: lab\n    type: postgres\n    address: 127.0.0.1:{0}\n    database: lab\n"
               "    credentials: {{user: gate_ehr, password: file:{1}/ehr.password}}\n    tls: {{mode: disable}}\n"
               "    labels: {{phi: \"yes\"}}\nroles:\n").format(pg.port, gate.folder)
        text = text.replace("roles:\n", lab, 1).replace("resources: [ehr], actions: [read, write]}]\n    masking: analyst\n    "
                                                        "predicates", "resources: [ehr, lab], actions: [read]}]\n    "
                                                        "masking: analyst\n    predicates", 1)
        text = text.replace("      rules:\n", "      rules:\n"
                            "        - {resource: ehr, columns: [thing.v], method: redact}\n"
                            "        - {resource: ehr, columns: [thing.id, thing.w], method: clear}\n"
                            "        - {resource: lab, columns: [\"thing.*\"], method: clear}\n", 1)
        gate.config.write_text(text)
        gate.start()
        passwords, _ = gate.add_people()
        try:
            yield gate, passwords["dana"]
        finally:
            gate.stop()
            pg.stop()


@pytest.mark.parametrize("text", ["SELECT upper(v) FROM thing", "SELECT id FROM thing WHERE upper(v) = 'X'",
                                  "SELECT id FROM thing WHERE v > 'a'"])
def test_one_text_in_two_databases(two, text):
    gate, password = two
    with psycopg.connect(gate.url("dana", password, "lab"), autocommit=True) as lab:
        lab.execute(text).fetchall()
        with psycopg.connect(gate.url("dana", password), autocommit=True) as ehr:
            with pytest.raises(psycopg.Error, match="thing.v"):
                ehr.execute(text)
        lab.execute(text).fetchall()


def test_rows_of_two_databases(two):
    gate, password = two
    for name, row in (("lab", (1, "lab-v", "lab-w")), ("ehr", (1, "▒▒▒▒▒", "plain-w")), ("lab", (1, "lab-v", "lab-w"))):
        with psycopg.connect(gate.url("dana", password, name), autocommit=True) as c:
            assert c.execute("SELECT id, v, w FROM thing WHERE id = 1").fetchone() == row


def test_literals_are_each_texts_own(site, client):
    """Same shape, other values: what is judged, found and written down is this text's."""
    mrn = client.query("SELECT mrn FROM patient WHERE id = 3")
    pseudonym = wire.rows(mrn)[0][0].decode()
    assert wire.rows(client.query("SELECT id FROM patient WHERE mrn = 'no such'")) == []
    refused = client.query(f"SELECT id FROM patient WHERE mrn = '{pseudonym}'")
    assert "is compared with a mask" in str(refused)
    direct = site.pg.value("SELECT mrn FROM patient WHERE id = 3")
    assert wire.rows(client.query(f"SELECT id FROM patient WHERE mrn = '{direct}'")) == [[b"3"]]
    for i in (1, 22, 133):
        assert wire.rows(client.query(f"SELECT id FROM patient WHERE id = {i}")) == [[str(i).encode()]]


def test_the_caret_stands_in_this_text(client):
    """The first of a shape is allowed; the place in the refusal of another is the other's own."""
    client.query("SELECT id FROM patient WHERE id = 1 AND mrn = 'a'")
    mask = "MRN-" + "A7" * 8
    for prefix in ("1", "1234567"):
        text = f"SELECT id FROM patient WHERE id = {prefix} AND mrn = '{mask}'"
        fields = wire.errors(client.query(text))[0]
        assert int(fields["P"]) == text.index(f"'{mask}'") + 1
