"""PgBouncer before the target: session mode works, whatever changes the connection underneath is refused."""
import contextlib
import os
import pwd
import subprocess
import time

import pytest

import conftest
import patients
import stack
import wire

SESSION = "\n    pooler: session"
NOT_ONE = "only session mode can be used"


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


@contextlib.contextmanager
def bouncer(pg, mode, *more):
    """A PgBouncer; yields its port."""
    with stack.temporary_folder() as folder:
        port = stack.free_port()
        (folder / "users.txt").write_text(f'"gate_ehr" "{stack.GATE_PASSWORD}"\n')
        ini = folder / "pgbouncer.ini"
        ini.write_text("\n".join([
            "[databases]", f"ehr = host=127.0.0.1 port={pg.port} dbname=ehr", "[pgbouncer]", "listen_addr = 127.0.0.1",
            f"listen_port = {port}", "auth_type = scram-sha-256", f"auth_file = {folder}/users.txt", "unix_socket_dir =",
            f"pool_mode = {mode}", *more]) + "\n")
        prefix = []
        if os.geteuid() == 0:
            os.chown(folder, pwd.getpwnam("postgres").pw_uid, -1)
            prefix = ["runuser", "-u", "postgres", "--"]
        process = subprocess.Popen([*prefix, "pgbouncer", "-q", str(ini)], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            stack.wait_for(lambda: stack.port_answers(port))
            yield port
        finally:
            process.terminate()
            process.wait(10)


@contextlib.contextmanager
def gateway(port, more=SESSION, workers=1):
    with stack.temporary_folder() as folder:
        gate = stack.Gateway(folder / "gate", port, target_more=more, workers=workers).start()
        gate.passwords, gate.tokens = gate.add_people()
        try:
            yield gate
        finally:
            assert gate.stop() == 0


def sign_in(gate, **settings):
    return wire.Client(gate.port, "dana", gate.passwords["dana"], **settings)


def refused(gate):
    return wire.refusal(lambda: sign_in(gate))


@pytest.mark.core
def test_session_mode_works(pg):
    with bouncer(pg, "session") as port, gateway(port, workers=2) as gate:
        first = sign_in(gate, TimeZone="Asia/Tokyo", extra_float_digits="3", IntervalStyle="iso_8601", statement_timeout="7s")
        assert first.parameters["TimeZone"] == "Asia/Tokyo" and first.parameters["server_version"].startswith("15")
        for name, value in (("timezone", b"Asia/Tokyo"), ("extra_float_digits", b"3"), ("intervalstyle", b"iso_8601"),
                            ("statement_timeout", b"7s"), ("search_path", b'"$user", public')):
            assert wire.rows(first.query(f"SHOW {name}")) == [[value]]
        assert not wire.errors(first.query("RESET ALL"))
        assert wire.rows(first.query("SHOW search_path")) == [[b'"$user", public']]
        assert wire.rows(first.query("SELECT last_name FROM patient WHERE id = 3")) == [["▒▒▒▒▒".encode()]]
        first.query("BEGIN")
        assert wire.status(first.query("SELECT 1")) == "T"
        first.close()
        for _ in range(5):          # connections that the pooler has used before
            client = sign_in(gate)
            assert wire.rows(client.query("SHOW timezone")) != [[b"Asia/Tokyo"]]
            client.close()
        done, failed = conftest.at_once(12, lambda: sign_in(gate).query("SELECT id FROM patient WHERE id = 5"))
        assert not failed and all(wire.rows(got) == [[b"5"]] for got in done) and len(done) == 12


@pytest.mark.core
def test_a_cancel_goes_through_the_pooler(pg):
    with bouncer(pg, "session") as port, gateway(port) as gate:
        client = sign_in(gate)
        client.send(wire.query("SELECT count(*) FROM generate_series(1, 2000) a, generate_series(1, 2000) b, "
                               "generate_series(1, 200) c"))
        time.sleep(0.5)
        wire.cancel(gate.port, client.key)
        got = client.until()
        assert wire.errors(got)[0]["C"] == "57014", (got, gate.log_text())
        client.close()


@pytest.mark.core
@pytest.mark.parametrize("mode, more", [
    ("transaction", ()), ("statement", ()),
    ("transaction", ("server_round_robin = 1",)),
    ("transaction", ("server_reset_query_always = 1",)),
    ("session", ("server_reset_query =",)),     # somebody else's settings stay
])
def test_what_is_no_session_is_refused(pg, mode, more):
    with bouncer(pg, mode, *more) as port, gateway(port) as gate:
        if mode == "session":
            wire.started(sign_in(gate)).close()     # leaves its mark behind
            time.sleep(0.3)
        error = refused(gate)
        assert error["R"] in ("CHP-5101", "CHP-5103")
        assert error["R"] == "CHP-5101" or NOT_ONE in error["M"]
        stack.wait_for(lambda: NOT_ONE in gate.log_text())


@pytest.mark.core
@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_a_pooler_that_nobody_told_of_is_refused(pg, mode):
    with bouncer(pg, mode) as port, gateway(port, more="") as gate:
        assert refused(gate)["R"] == "CHP-5101"
        stack.wait_for(lambda: "a connection pooler stands before it" in gate.log_text())


@pytest.mark.core
def test_sessions_end_when_the_connection_changes_underneath(pg):
    """A pooler that is switched to transaction mode while sessions are open."""
    with bouncer(pg, "session", "admin_users = gate_ehr") as port, gateway(port) as gate:
        client = sign_in(gate)
        url = f"postgresql://gate_ehr:{stack.GATE_PASSWORD}@127.0.0.1:{port}/pgbouncer"
        # Every server connection is closed once it is free; in session mode none of these is.
        assert stack.psql(url, "-c", "SET pool_mode = 'transaction'").returncode == 0
        assert stack.psql(url, "-c", "RECONNECT").returncode == 0
        client.query("SELECT 1")
        got = client.until("E")
        assert wire.errors(got)[0]["R"] == "CHP-5103" and NOT_ONE in wire.errors(got)[0]["M"]


@pytest.mark.core
def test_a_plain_server_is_not_taken_for_a_pooler(pg):
    for more in ("", SESSION):
        with gateway(pg.port, more, workers=2) as gate:
            done, failed = conftest.at_once(16, lambda: sign_in(gate).query("SELECT 1"))
            assert not failed and len(done) == 16
            time.sleep(4.5)     # two looks at the catalogue
            client = sign_in(gate)
            assert wire.rows(client.query("SELECT 1")) == [[b"1"]]
            client.close()
