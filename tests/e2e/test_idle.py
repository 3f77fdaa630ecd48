"""Sessions that ask nothing: no connection to the target, little memory, and the first statement makes up for it."""
import contextlib
import functools
import hashlib
import os
import pathlib
import queue
import resource
import signal
import socket
import subprocess
import threading
import time

import psycopg
import pytest

import conftest
import patients
import stack
import wire
from test_addresses import Relay

SELECT = "SELECT id, city FROM patient WHERE id = 5"
# 5,000 as in the design take a minute and more; the count of every day shows the same.
MANY = int(os.environ.get("CHAPERONE_IDLE_SESSIONS", "600"))
UPSTREAM = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'chaperone/s-%'"


@contextlib.contextmanager
def gateway(pg, port=None, **settings):
    with stack.temporary_folder() as folder:
        gate = stack.Gateway(folder / "gate", port or pg.port, **{"workers": 1, "when": ", tables: [patient]", **settings}).start()
        gate.passwords, gate.tokens = gate.add_people()
        try:
            yield gate
        finally:
            assert gate.stop() == 0


@pytest.fixture(scope="module")
def pg():
    with stack.temporary_folder() as folder:
        made = stack.Postgres(folder / "pg")
        made.start()
        made.make_database(patients.sql(20))
        try:
            yield made
        finally:
            made.stop()


def sign_in(gate, **settings):
    return wire.Client(gate.port, "dana", gate.passwords["dana"], **settings)


def backends(pg):
    return int(pg.value(UPSTREAM))


def server_of(gate, client):
    return gate.json("session", "show", client.parameters["chaperone.session"], token=gate.tokens["dana"])["server"]


# --- the greeting ---

def parameters_of(messages):
    return dict(tuple(part.decode() for part in body[:-1].split(b"\0")) for tag, body in messages if tag == "S")


STARTUPS = [
    {},
    {"TimeZone": "Asia/Tokyo"},
    {"timezone": "america/new_york"},       # told as it was asked for, then by its own name
    {"TimeZone": "-5"},
    {"DateStyle": "German", "IntervalStyle": "ISO_8601"},
    {"DateStyle": "ISO"},
    {"datestyle": "Postgres, European", "extra_float_digits": "3"},
    {"DateStyle": "YMD"},
    {"options": "-c TimeZone=Europe/Paris -c DateStyle=SQL,DMY -c geqo=off", "client_encoding": "UTF8"},
    {"application_name": "who asks"},
]


@pytest.mark.core
@pytest.mark.parametrize("settings", STARTUPS, ids=lambda s: ",".join(f"{k}={v}" for k, v in s.items()) or "none")
def test_what_a_client_is_told_is_what_its_server_will_say(pg, settings):
    """Before the first statement the greeting; what is wrong in it comes before that statement's answer."""
    direct = wire_direct(pg, settings)
    with gateway(pg) as gate:
        sign_in(gate).close()
        client = sign_in(gate, **settings)
        told = dict(client.parameters)
        assert backends(pg) == 0 and client.key
        got = client.query("SHOW server_version")
        corrected = parameters_of(got)
        assert {**told, **corrected}["TimeZone"] == direct["TimeZone"]
        for name in ("DateStyle", "IntervalStyle", "integer_datetimes", "server_version", "server_encoding",
                     "client_encoding", "standard_conforming_strings", "is_superuser", "in_hot_standby"):
            assert told[name] == direct[name] if name != "is_superuser" else told[name] == "off", name
        assert set(corrected) <= {"TimeZone"}
        assert ("TimeZone" in corrected) == (told["TimeZone"] != direct["TimeZone"])
        tags = wire.tags(got)
        assert "S" not in tags or tags.rindex("S") < tags.index("T")
        assert backends(pg) == 1
        client.close()


def wire_direct(pg, settings):
    """ParameterStatus of PostgreSQL itself for these settings."""
    client = wire.Client(pg.port, "owner", stack.OWNER_PASSWORD, **settings)
    client.close()
    return client.parameters


@pytest.mark.core
def test_a_default_that_changed_is_told_with_the_first_answer(pg):
    with gateway(pg) as gate:
        client = sign_in(gate)
        assert client.parameters["IntervalStyle"] == "postgres"
        pg.sql("ALTER ROLE gate_ehr SET IntervalStyle = 'sql_standard'", "postgres")
        try:
            got = client.query("SELECT 1")
            assert parameters_of(got) == {"IntervalStyle": "sql_standard"} and wire.tags(got)[0] == "S"
            assert wire.rows(client.query("SELECT interval '1 day'")) == [[b"1 0:00:00"]]
            client.close()
        finally:
            pg.sql("ALTER ROLE gate_ehr RESET IntervalStyle", "postgres")


# --- the first message ---

@pytest.mark.core
def test_goodbye_and_rubbish_need_no_target(pg):
    road = Relay(pg.port)
    with gateway(pg, road.port) as gate:
        sign_in(gate).close()
        before = len(road.pairs)
        client = sign_in(gate)
        session = client.parameters["chaperone.session"]
        client.close()
        stack.wait_for(lambda: gate.json("session", "show", session, token=gate.tokens["dana"])["state"] == "ended")
        for rubbish in (b"GET / HTTP/1.1\r\n\r\n", wire.message("p", b"x\0"), b"Q\0\0\0\1"):
            client = sign_in(gate)
            client.send(rubbish)
            assert wire.errors(client.until("E"))[0]["R"] == "CHP-5401"
        client = sign_in(gate)
        client.send(wire.query("SELECT 1")[:3])     # half a header is no message
        time.sleep(0.3)
        client.socket.close()
        assert len(road.pairs) == before and backends(pg) == 0
    road.stop_listening()


@pytest.mark.core
def test_nothing_that_was_pipelined_is_lost_or_run_twice(pg):
    pg.sql("DROP TABLE IF EXISTS public.tick; CREATE TABLE public.tick (n int); GRANT ALL ON public.tick TO gate_ehr")
    with gateway(pg, extra_roles=TICKER) as gate:
        client = wire.Client(gate.port, "erin", gate.passwords["erin"])
        client.send(*[wire.query(f"INSERT INTO tick VALUES ({n})") for n in range(40)],
                    wire.parse("SELECT count(*) FROM tick"), wire.bind(), wire.execute(), wire.SYNC)
        got = []
        for _ in range(41):
            got += client.until()
        assert wire.rows(got) == [[b"40"]] and not wire.errors(got), got
        assert pg.value("SELECT count(*), count(DISTINCT n) FROM tick") == "40|40"
        played = gate.cli("session", "play", client.parameters["chaperone.session"], "-o", "jsonl", token=gate.tokens["erin"])
        assert played.stdout.count('"type":"command"') == 42    # Parse and Bind are ruled on, each once
        client.close()


TICKER = """  - {name: ticker, members: ["user:erin"], allow: [{resources: [ehr], actions: [read, write], tables: [tick]}]}
"""


@pytest.mark.core
def test_a_message_that_is_longer_than_what_is_read_ahead(pg):
    """Its rest is read when the connection is there."""
    with gateway(pg) as gate:
        client = sign_in(gate)
        client.send(wire.query("SELECT 1 -- " + "x" * 400_000), wire.query("SELECT 2"))
        assert wire.rows(client.until()) == [[b"1"]] and wire.rows(client.until()) == [[b"2"]]
        client.close()


class Mute:
    """Takes connections for a target, and passes nothing on until it is told to."""

    def __init__(self, port):
        self.to, self.open = port, threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.taken = 0
        self.open.set()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                self.taken += 1
                threading.Thread(target=self._join, args=(near,), daemon=True).start()

    def _join(self, near):
        self.open.wait(60)
        with contextlib.suppress(OSError):
            far = socket.create_connection(("127.0.0.1", self.to))
            threading.Thread(target=Relay._pass, args=(far, near), daemon=True).start()
            Relay._pass(near, far)


@pytest.mark.core
def test_what_is_cancelled_while_the_connection_is_made_never_runs(pg):
    pg.sql("DROP TABLE IF EXISTS public.tick; CREATE TABLE public.tick (n int); GRANT ALL ON public.tick TO gate_ehr")
    road = Mute(pg.port)
    with gateway(pg, road.port, extra_roles=TICKER) as gate:
        client = wire.Client(gate.port, "erin", gate.passwords["erin"])
        idle = sign_in(gate)
        wire.cancel(gate.port, idle.key)        # nothing runs: nothing happens
        road.open.clear()
        before = road.taken
        client.send(wire.query("INSERT INTO tick VALUES (1)"), wire.query("SELECT count(*) FROM tick"))
        stack.wait_for(lambda: road.taken > before)
        wire.cancel(gate.port, client.key)
        time.sleep(0.3)
        road.open.set()
        error = wire.errors(client.until())[0]
        assert error["C"] == "57014" and error["R"] == "CHP-3205" and error["S"] == "ERROR", error
        assert wire.rows(client.until()) == [[b"0"]]     # and the next one is not cancelled
        assert wire.rows(idle.query("SELECT 7")) == [[b"7"]]
        client.close()
        idle.close()


@pytest.mark.core
def test_a_client_that_floods_while_the_connection_is_made_is_held_back(pg):
    """What it sends ahead stays in its own socket."""
    road = Mute(pg.port)
    with gateway(pg, road.port) as gate:
        client = sign_in(gate)
        road.open.clear()
        client.send(wire.query("SELECT 1"))
        client.socket.settimeout(1)
        worker = gate.pids()["worker"][0]
        before, sent = private_kib([worker]), 0
        flood = wire.query("SELECT 2 -- " + "x" * 60_000) * 20
        with contextlib.suppress(TimeoutError):
            for _ in range(200):
                sent += client.socket.send(flood)
        assert sent < 200 * len(flood)
        assert private_kib([worker]) - before < 1024
        road.open.set()
        client.socket.close()


# --- a target that cannot be used ---

@pytest.mark.core
def test_a_target_that_is_down_is_told_at_the_first_statement(pg):
    road = Relay(pg.port)
    with gateway(pg, road.port) as gate:
        client = sign_in(gate)
        road.stop_listening()
        late = sign_in(gate)        # what the target told last is still good
        for one in (client, late):
            got = one.query(SELECT)
            error = wire.errors(got)[0]
            assert error["S"] == "FATAL" and error["C"] == "57P03" and error["R"] == "CHP-5101", error
            assert "Connection refused" in error["D"]
            with pytest.raises((wire.ServerClosed, ConnectionResetError)):
                one.receive()
    with gateway(pg, stack.free_port()) as gate:     # nobody has ever been there: at sign-in
        with pytest.raises(PermissionError, match="CHP-5101"):
            sign_in(gate)


@pytest.mark.core
@pytest.mark.parametrize("settings", [{"TimeZone": "Nowhere/Land"}, {"DateStyle": "nonsense"},
                                      {"statement_timeout": "soon"}])
def test_a_setting_that_the_server_refuses(pg, settings):
    with gateway(pg) as gate:
        error = wire.refusal(lambda: sign_in(gate, **settings))
        assert error["R"] == "CHP-5102"
        wire.started(sign_in(gate)).close()


@pytest.mark.core
def test_statements_wait_for_a_keeper_that_is_replaced(pg):
    with gateway(pg) as gate:
        client, pids = sign_in(gate), gate.pids()
        os.kill(pids["supervisor"][0], signal.SIGSTOP)     # or there is a new one at once
        try:
            os.kill(pids["keeper"][0], signal.SIGKILL)
            time.sleep(0.3)
            client.send(wire.query(SELECT))
            time.sleep(0.3)
        finally:
            os.kill(pids["supervisor"][0], signal.SIGCONT)
        assert wire.rows(client.until())
        client.close()


def test_who_is_disabled_is_cut_before_the_first_statement(pg):
    with gateway(pg) as gate:
        client = sign_in(gate)
        gate.cli("user", "disable", "dana")
        assert wire.errors(client.until("E"))[0]["C"] == "57P01"
        assert backends(pg) == 0


def test_new_rules_hold_for_the_first_statement(pg):
    with gateway(pg) as gate:
        client = sign_in(gate)
        gate.config.write_text(gate.config.read_text().replace("guardrails:\n", "guardrails:\n  - {name: no-reading, "
                               "resources: [ehr], match: {statement: [select]}, message: \"not today\"}\n"))
        gate.json("reload")
        error = wire.errors(client.query(SELECT))[0]
        assert error["C"] == "42501" and "no-reading" in error["M"], error
        client.close()


# --- thousands ---

def private_kib(pids):
    return sum(int(line.split()[1]) for pid in pids
               for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
               if line.startswith(("Private_Dirty", "Swap:")))


@contextlib.contextmanager
def quick_passwords(monkeypatch):
    """The same password and salt each time: stretched once."""
    monkeypatch.setattr(hashlib, "pbkdf2_hmac", functools.lru_cache(None)(hashlib.pbkdf2_hmac))
    yield


def sign_in_many(gate, count):
    """From eight threads; a password's rounds are the keeper's time, not ours."""
    todo, made, failed = queue.SimpleQueue(), [], []
    for n in range(count):
        todo.put(n)

    def work():
        with contextlib.suppress(queue.Empty):
            while True:
                todo.get_nowait()
                try:
                    made.append(wire.Client(gate.port, "dana", gate.passwords["dana"], timeout=60))
                except Exception as e:  # noqa: BLE001
                    failed.append(repr(e))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failed, failed[:3]
    return made


def fastest(client):
    """The least of some round trips: what the machine does beside us is not the gateway's."""
    best = 1.0
    for _ in range(50):
        begun = time.perf_counter()
        assert wire.rows(client.query(SELECT))
        best = min(best, time.perf_counter() - begun)
    return best


def test_thousands_of_idle_sessions(pg, monkeypatch):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < MANY + 500:
        pytest.skip(f"{hard} open files are allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with quick_passwords(monkeypatch), gateway(pg) as gate:
        first = wire.started(sign_in(gate))
        alone = fastest(first)
        pids = gate.pids()["worker"] + gate.pids()["keeper"]
        sign_in_many(gate, 20)      # what the first ones load is no session's own
        time.sleep(2)
        before = private_kib(pids)
        idle = sign_in_many(gate, MANY)
        time.sleep(6)       # what they needed to sign in has gone back to the system
        each = (private_kib(pids) - before) / MANY
        print(f"\n{MANY} idle sessions: {each:.1f} KiB each, worker and keeper", flush=True)
        assert backends(pg) == 1
        assert each < 8
        beside = fastest(first)
        print(f"a statement: {alone * 1e6:.0f} us alone, {beside * 1e6:.0f} us beside them", flush=True)
        assert beside < 3 * alone + 0.001
        began = time.perf_counter()
        newcomer = wire.started(sign_in(gate))
        assert time.perf_counter() - began < 2
        newcomer.close()
        for client in idle:         # in turn: PostgreSQL has 300 connections, and one is enough for each
            assert wire.rows(client.query("SELECT id FROM patient WHERE id = 5")) == [[b"5"]]
            client.close()
        first.close()
        stack.wait_for(lambda: gate.json("status")["sessions_live"] <= 20)


def test_idle_sessions_over_tls():
    """Before and after a statement, TLS on both legs."""
    count = 60
    with stack.temporary_folder() as folder:
        authority = stack.Certificates(folder / "certificates")
        certificate, key = authority.make("gate")
        site = conftest.Site(folder, pg_tls=authority.make("pg"), workers=1,
                             gateway_tls=f'  tls: {{cert: "file:{certificate}", key: "file:{key}"}}\n',
                             target_tls=f"mode: verify-full, ca: file:{authority.ca}")
        try:
            def connect():
                return psycopg.connect(site.url(sslmode="verify-full", sslrootcert=authority.ca), autocommit=True)

            warm = [connect() for _ in range(5)]
            for connection in warm:
                assert connection.execute(SELECT).fetchall()
            pids = site.gate.pids()["worker"] + site.gate.pids()["keeper"]
            time.sleep(7)       # at rest, and the heap trimmed
            before = private_kib(pids)
            idle = [connect() for _ in range(count)]
            time.sleep(3)
            waiting = (private_kib(pids) - before) / count
            for connection in idle:
                assert connection.execute(SELECT).fetchall()
            time.sleep(8)
            pair = (private_kib(pids) - before) / count
            print(f"\nTLS: {waiting:.1f} KiB before a statement, {pair:.1f} KiB a pair after one", flush=True)
            assert waiting < 40 and pair < 80
            for connection in warm + idle:
                connection.close()
        finally:
            assert site.close() == 0


def test_too_few_descriptors_are_told_and_do_not_stop_it(pg):
    """A worker takes as many sessions as it has descriptors for; whoever is too many is turned away, the others work."""
    limit = ["prlimit", "--nofile=300:400", "--"]
    with gateway(pg, prefix=limit) as gate:
        stack.wait_for(lambda: "400 open files are allowed: a worker takes 72 sessions" in gate.log_text())
        assert "Max open files            400                  400" in pathlib.Path(
            f"/proc/{gate.pids()['worker'][0]}/limits").read_text()
        done, failed = [], []
        for _ in range(80):
            try:
                done.append(sign_in(gate))
            except (wire.ServerClosed, ConnectionResetError) as e:
                failed.append(repr(e))
        assert len(done) == 72 and len(failed) == 8
        assert wire.rows(done[0].query(SELECT)) and wire.rows(done[-1].query(SELECT))
        for client in done:
            client.close()
    words = subprocess.run([*limit, str(gate.binary), "doctor"], text=True, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE).stdout
    assert "FAIL 400 open files allowed: 72 sessions for each worker" in words, words


def test_a_pool_of_a_real_driver_opens_nothing(pg):
    with gateway(pg) as gate, contextlib.ExitStack() as ends:
        url = gate.url("dana", gate.passwords["dana"])
        pool = [ends.enter_context(psycopg.connect(url, autocommit=True)) for _ in range(10)]
        assert backends(pg) == 0
        assert pool[3].execute("SELECT id FROM patient WHERE id = %s", (5,)).fetchall() == [(5,)]
        assert backends(pg) == 1
        done, failed = conftest.at_once(10, lambda: pool.pop().execute("SELECT count(*) FROM patient").fetchone())
        assert not failed and done == [(20,)] * 10
