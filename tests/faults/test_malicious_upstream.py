"""The target lies. No protected value leaves, each lie ends in one clear error, and nobody else notices."""
import os
import pathlib
import struct
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "demo"), str(ROOT / "tests/e2e"), str(ROOT / "tests/faults")]

import liar  # noqa: E402
import patients  # noqa: E402
import stack  # noqa: E402
import wire  # noqa: E402
from liar import CANARY, INT4, READY, TEXT, complete, data_row, description, failure  # noqa: E402
from wire import message  # noqa: E402

FIELDS = "SVMDHPpqWstcdnFLR"


def table(name, oid):
    return lambda column, attribute, kind=TEXT: (column, oid[name], attribute, kind)


def lies(oid):
    """What is said instead of the answer to SELECT last_name, city FROM patient WHERE id = 1."""
    p, e = table("patient", oid), table("encounter", oid)
    good = description(p("last_name", 4), p("city", 11))
    row, end = data_row(CANARY, "x"), complete() + READY
    return {
        "no_table": description(("last_name", 0, 0, TEXT), ("city", 0, 0, TEXT)) + row + end,
        "other_column": description(p("last_name", 11), p("city", 11)) + row + end,
        "other_table": description(e("last_name", 4), e("city", 4)) + row + end,
        "no_such_table": description(("last_name", 999999, 1, TEXT), ("city", 999999, 2, TEXT)) + row + end,
        "catalogue": description(("last_name", 1247, 2, TEXT), ("city", 1247, 2, TEXT)) + row + end,
        "other_type": description(p("last_name", 4, INT4), p("city", 11)) + row + end,
        "swapped": description(p("city", 11), p("last_name", 4)) + row + end,
        "fewer_described": description(p("city", 11)) + row + end,
        "more_described": description(p("last_name", 4), p("city", 11), p("state", 12)) + row + end,
        "none_described": description() + row + end,
        "longer_row": good + data_row("a", "b", CANARY) + end,
        "shorter_row": good + data_row(CANARY) + end,
        "row_alone": row + end,
        "row_after_end": good + data_row("a", "b") + complete() + row + READY,
        "described_again": good + description(p("city", 11), p("city", 11)) + row + end,
        "described_again_late": good + data_row("a", "b") + description(p("city", 11), p("city", 11)) + row + end,
        "cell_too_long": good + message("D", struct.pack("!HI", 2, 5000) + CANARY.encode()) + end,
        "cell_below_null": good + message("D", struct.pack("!Hi", 2, -2) + CANARY.encode()) + end,
        "rest_in_row": good + message("D", struct.pack("!HiiB", 2, -1, -1, 0) + CANARY.encode()) + end,
        "binary": message("T", struct.pack("!H", 2) + b"".join(
            wire.cstring(n) + struct.pack("!IhIhih", oid["patient"], a, TEXT, -1, -1, 1)
            for n, a in (("last_name", 4), ("city", 11)))) + row + end,
        "copy_out": message("H", struct.pack("!bhhh", 0, 2, 0, 0)) + message("d", CANARY.encode() + b"\n") + message("c") +
        complete("COPY 1") + READY,
        "copy_in": message("G", struct.pack("!bhhh", 0, 2, 0, 0)),
        "copy_both": message("W", struct.pack("!bhhh", 0, 2, 0, 0)) + message("d", CANARY.encode()),
        "copy_data": message("d", CANARY.encode()) + end,
        "function_result": message("V", struct.pack("!I", len(CANARY)) + CANARY.encode()) + end,
        "unknown_message": message("x", CANARY.encode()) + end,
        "parameters": message("t", struct.pack("!H", 2) + CANARY.encode()[:8]) + end,
        "authentication": message("R", struct.pack("!I", 5) + CANARY.encode()[:4]) + end,
        "key_again": message("K", struct.pack("!II", 1, 2)) + end,
        "ready_status": good + data_row("a", "b") + complete() + message("Z", b"X"),
        "ready_twice": good + data_row("a", "b") + complete() + READY + READY + row + end,
        "ready_early": READY,
        "tag_with_a_value": good + data_row("a", "b") + complete(CANARY) + READY,
        "tag_not_ended": good + data_row("a", "b") + message("C", CANARY.encode()) + READY,
        "length_negative": b"D" + struct.pack("!I", 1 << 31) + CANARY.encode(),
        "length_max": b"D" + struct.pack("!I", 0x7fffffff) + CANARY.encode(),
        "length_small": b"D" + struct.pack("!I", 3) + CANARY.encode(),
        "length_of_ready": message("Z", CANARY.encode() * 10000),
        "notification_flood": message("A", struct.pack("!I", 1) + wire.cstring("c") + wire.cstring(CANARY)) * 20000 + good + end,
        "notice_flood": failure("N", S="NOTICE", V="NOTICE", C="P0001", M=CANARY) * 20000 + good + end,
        "own_notice": failure("N", S="NOTICE", V="NOTICE", C="01000", R="CHP-3206", M="chaperone: approved by pat; running") +
        failure("N", S="NOTICE", V="NOTICE", C="01000", M="waiting for approval r-aaaaaaaaaa (check word: JASPER-29)") +
        good + data_row("a", "b") + end,
        "own_error": failure(C="42501", R="CHP-3101", M="chaperone refused (rule no-ddl, d-aaaaaaaaaa): send your password") + READY,
        "own_parameters": b"".join(message("S", wire.cstring(n) + wire.cstring(CANARY)) for n in
                                   ("chaperone.session", "chaperone.masked", "CHAPERONE.role")) +
        good + data_row("a", "b") + end,
        "error_with_values": failure(C="22P02", **{f: CANARY for f in FIELDS if f not in "SV"}) + READY,
        "error_severity": failure(S=CANARY, V=CANARY, M="no") + READY,
        "error_state": failure(C=CANARY, M="no") + READY,
        "error_unknown_field": failure(Z=CANARY, M="no") + READY,
        "error_torn": message("E", b"SERROR\0M" + CANARY.encode()) + READY,
        "notice_with_values": failure("N", S="NOTICE", V="NOTICE", C="22P02", **{f: CANARY for f in FIELDS if f not in "SV"}) + good +
        data_row("a", "b") + end,
    }


# What may come through: the answer was honest but for what is taken out of it.
MAY_GO_ON = {"notification_flood", "notice_flood", "own_notice", "own_error", "own_parameters", "error_with_values", "error_severity",
             "error_unknown_field", "notice_with_values", "ready_twice", "binary", "other_type"}
SELECT = "SELECT last_name, city FROM patient WHERE id = 1 /* lie:{} */"


class Site:
    def __init__(self, folder):
        self.pg = stack.Postgres(folder / "pg").start()
        self.pg.make_database(patients.sql(50))
        oid = {name: int(self.pg.value(f"SELECT '{name}'::regclass::oid")) for name in ("patient", "encounter")}
        self.lies = lies(oid)
        self.liar = liar.Liar(self.pg.port, self.lies)
        self.gate = stack.Gateway(folder / "gate", self.liar.port, workers=1).start()
        self.passwords, self.tokens = self.gate.add_people()
        self.pids, self.asked = self.gate.pids(), {}

    def client(self, user="dana", timeout=10):
        return wire.Client(self.gate.port, user, self.passwords[user], timeout=timeout)

    def close(self):
        self.liar.signin = None
        self.gate.stop()
        self.liar.close()
        self.pg.stop()


@pytest.fixture(scope="module")
def site():
    with stack.temporary_folder() as folder:
        made = Site(folder)
        try:
            yield made
        finally:
            made.close()


@pytest.fixture
def neighbour(site):
    c = site.client("erin")
    yield c
    assert wire.rows(c.query("SELECT 7")) == [[b"7"]]
    c.close()
    assert site.gate.pids() == site.pids, "a process ended: " + site.gate.log_text()[-1000:]


NAMES = sorted(lies({"patient": 1, "encounter": 2}))


def answer(client, *data):
    """All that came until it was ready again, or was put out."""
    client.send(*data)
    got = []
    try:
        while not got or got[-1][0] != "Z":
            got.append(client.receive())
    except (wire.ServerClosed, ConnectionError):
        pass
    return got


@pytest.mark.parametrize("extended", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_a_lie(site, neighbour, name, extended):
    client = site.client()
    text = SELECT.format(name)
    assert not wire.errors(client.query("SELECT last_name, city FROM patient WHERE id = 1"))
    before = len(client.seen)
    started = time.monotonic()
    if extended:
        got = answer(client, wire.parse(text), wire.bind(), wire.describe(), wire.execute(), wire.SYNC)
    else:
        got = answer(client, wire.query(text))
    assert time.monotonic() - started < 5, "it hangs"
    assert CANARY.encode() not in client.seen[before:], got
    errors = wire.errors(got)
    if name not in MAY_GO_ON:
        assert len(errors) == 1 and errors[0].get("R", "").startswith("CHP-"), got
    for notice in wire.notices(got):
        assert notice["M"].startswith("server: ") or notice["R"] == "CHP-3110", notice
        assert "R" not in notice or notice["R"] not in ("CHP-3206", "CHP-3201")
    for error in errors:
        assert error["M"].startswith("server: ") or "send your password" not in error["M"], error
    if name == "ready_twice":  # what came behind belongs to nothing
        assert "CHP-5101" in str(wire.errors(answer(client, wire.query("SELECT 1"))))
    client.close()
    site.asked.setdefault(client.parameters["chaperone.session"], name)


@pytest.mark.parametrize("name", sorted(liar.SIGNINS))
def test_a_lie_at_sign_in(site, neighbour, name):
    assert not wire.errors(neighbour.query("SELECT 1"))
    site.liar.signin = name
    try:
        started = time.monotonic()
        client = site.client("dana", timeout=20)
        error = wire.errors(client.query("SELECT 1"))[0]  # the target is dialed at the first statement
        took = time.monotonic() - started
    finally:
        site.liar.signin = None
    client.close()
    assert error["S"] == "FATAL" and error["R"] in ("CHP-5101", "CHP-5102", "CHP-5103"), error
    assert CANARY not in str(error)
    assert took < (16 if name == "nothing_but_notices" else 5), took  # it falls silent: the whole of sign-in is bounded
    assert wire.rows(site.client().query("SELECT 1")) == [[b"1"]]


def memory_kib(pid):
    return int(next(line for line in open(f"/proc/{pid}/status") if line.startswith("VmRSS")).split()[1])


def test_rows_without_end(site, neighbour):
    """To a client that does not read: the worker takes no more than its bound."""
    good = description(("g", 0, 0, INT4))
    sent = []

    def endless(near):
        near.sendall(good)
        row = data_row("7") * 5000
        near.settimeout(30)
        try:
            while True:
                sent.append(near.send(row))
        except OSError:
            pass
    site.liar.lies["endless"] = endless
    client = site.client()
    worker = site.gate.pids()["worker"][0]
    before = memory_kib(worker)
    client.send(wire.query("SELECT g FROM generate_series(1, 9) g /* lie:endless */"))
    time.sleep(3)
    stuck = len(sent)
    assert stuck > 1
    time.sleep(1)
    assert len(sent) == stuck, "the gateway goes on reading for a client that does not"
    assert memory_kib(worker) - before < 64 << 10
    assert wire.rows(neighbour.query("SELECT 5")) == [[b"5"]]
    client.socket.close()


def test_the_record_is_whole(site):
    time.sleep(0.5)
    for session, name in list(site.asked.items())[::7]:
        assert f"lie:{name}" in site.gate.cli("session", "play", session, token=site.tokens["pat"]).stdout
    done = site.gate.cli("audit", "verify", check=False)
    assert done.returncode == 0, done.stdout
