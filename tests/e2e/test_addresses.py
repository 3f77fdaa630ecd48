"""Several servers behind one resource: which one is used, what each of the others answered."""
import base64
import contextlib
import json
import socket
import subprocess
import threading
import time

import pytest

import patients
import stack
import wire

ATTRS = "\n    target_session_attrs: "


class Relay:
    """Passes bytes to a port; stops listening, or cuts one connection, when told so."""

    def __init__(self, port, host="127.0.0.1", listen=0):
        self.to, self.pairs = port, []
        self.listener = socket.create_server((host, listen))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                if self.to is None:
                    near.close()
                    continue
                far = socket.create_connection(("127.0.0.1", self.to))
                self.pairs.append((near, far))
                for a, b in ((near, far), (far, near)):
                    threading.Thread(target=self._pass, args=(a, b), daemon=True).start()

    @staticmethod
    def _pass(a, b):
        with contextlib.suppress(OSError):
            while data := a.recv(65536):
                b.sendall(data)
        for s in (a, b):
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)

    def stop_listening(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def cut(self, index):
        for s in self.pairs[index]:
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module")
def cluster():
    """A primary and its standby."""
    with stack.temporary_folder() as folder:
        pg = stack.Postgres(folder / "pg")
        pg.start()
        pg.make_database(patients.sql(20))
        copy = pg.standby(folder / "standby")
        stack.wait_for(lambda: copy.value("SELECT count(*) FROM patient") == "20")
        try:
            yield pg, copy
        finally:
            copy.stop()
            pg.stop()


@contextlib.contextmanager
def gateway(addresses, more="", **settings):
    """`addresses`: ports on 127.0.0.1, or HOST:PORT."""
    *before, last = [a if isinstance(a, str) else f"127.0.0.1:{a}" for a in addresses]
    host, port = last.rsplit(":", 1)
    with stack.temporary_folder() as folder:
        gate = stack.Gateway(folder / "gate", port, target_host=", ".join([*before, host]), target_more=more,
                             workers=1, **settings).start()
        gate.passwords, gate.tokens = gate.add_people()
        try:
            yield gate
        finally:
            assert gate.stop() == 0


def sign_in(gate, **settings):
    return wire.Client(gate.port, "dana", gate.passwords["dana"], **settings)


def refused(gate):
    return wire.refusal(lambda: sign_in(gate))


def server_of(gate, client):
    """What `session show` says."""
    session = client.parameters["chaperone.session"]
    return gate.json("session", "show", session, token=gate.tokens["dana"])["server"]


@pytest.mark.parametrize("attrs, standby_first, wanted", [
    ("any", True, "standby"), ("any", False, "primary"),
    ("read-write", True, "primary"), ("primary", True, "primary"),
    ("read-only", False, "standby"), ("standby", False, "standby"),
    ("prefer-standby", False, "standby"),
])
def test_the_first_that_is_what_is_wanted(cluster, attrs, standby_first, wanted):
    primary, standby = cluster
    ports = {"primary": primary.port, "standby": standby.port}
    order = [standby.port, primary.port] if standby_first else [primary.port, standby.port]
    with gateway(order, ATTRS + attrs) as gate:
        client = sign_in(gate)
        assert wire.rows(client.query("SELECT pg_is_in_recovery()")) == [[b"t" if wanted == "standby" else b"f"]]
        assert server_of(gate, client) == f"127.0.0.1:{ports[wanted]}"
        session = client.parameters["chaperone.session"]
        client.close()
        stack.wait_for(lambda: gate.json("session", "show", session, token=gate.tokens["dana"])["state"] == "ended")
        played = gate.cli("session", "play", session, "-o", "jsonl", token=gate.tokens["dana"]).stdout
        end = json.loads(played.strip().splitlines()[-1])
        assert json.loads(base64.b64decode(end["data"]))["server"] == f"127.0.0.1:{ports[wanted]}"


def test_a_session_has_no_server_before_its_first_statement(cluster):
    primary, _ = cluster
    with gateway([primary.port]) as gate:
        client = sign_in(gate)
        assert server_of(gate, client) == ""
        wire.started(client)
        assert server_of(gate, client) == f"127.0.0.1:{primary.port}"
        client.close()


def test_prefer_standby_takes_a_primary_when_there_is_no_other(cluster):
    primary, _ = cluster
    with gateway([stack.free_port(), primary.port], ATTRS + "prefer-standby") as gate:
        client = wire.started(sign_in(gate))
        assert server_of(gate, client) == f"127.0.0.1:{primary.port}"
        client.close()


def test_nothing_fits_and_each_says_why(cluster):
    primary, _ = cluster
    nobody, hangs_up = stack.free_port(), Relay(None)
    with gateway([nobody, hangs_up.port, primary.port], ATTRS + "standby") as gate:
        error = refused(gate)
        assert error["R"] == "CHP-5101"
        for words in (f"127.0.0.1:{nobody} (127.0.0.1:{nobody}): Connection refused",
                      f"127.0.0.1:{hangs_up.port} (127.0.0.1:{hangs_up.port}): hung up",
                      f"127.0.0.1:{primary.port} (127.0.0.1:{primary.port}): is the primary"):
            stack.wait_for(lambda: words in gate.log_text())
    hangs_up.stop_listening()


def test_a_server_goes_and_sessions_go_on_at_the_next(cluster):
    primary, standby = cluster
    first = Relay(standby.port)
    with gateway([first.port, primary.port]) as gate:
        before = wire.started(sign_in(gate))
        assert server_of(gate, before) == f"127.0.0.1:{first.port}"
        first.stop_listening()
        after = wire.started(sign_in(gate))
        assert server_of(gate, after) == f"127.0.0.1:{primary.port}"
        assert wire.rows(before.query("SELECT pg_is_in_recovery()")) == [[b"t"]]
        for client in (before, after):
            client.close()


def test_a_session_learns_what_each_address_answered(cluster):
    """The catalogue is known and the road is not there any more: the error is the session's own."""
    primary, _ = cluster
    road = Relay(primary.port)
    with gateway([stack.free_port(), road.port]) as gate:
        sign_in(gate).close()
        road.stop_listening()
        error = refused(gate)
        assert error["R"] == "CHP-5101" and error["C"] == "57P03"
        assert f"127.0.0.1:{road.port} (127.0.0.1:{road.port}): Connection refused" in error["D"]


def test_a_cancel_goes_to_the_session_s_own_server(cluster):
    primary, standby = cluster
    with gateway([primary.port, standby.port], ATTRS + "standby") as gate:
        client, got = sign_in(gate), []
        slow = "SELECT count(*) FROM generate_series(1, 2000) a, generate_series(1, 2000) b, generate_series(1, 200) c"
        asking = threading.Thread(target=lambda: got.extend(client.query(slow)))
        asking.start()
        time.sleep(0.5)
        wire.cancel(gate.port, client.key)
        asking.join(20)
        assert wire.errors(got)[0]["C"] == "57014"
        client.close()


def test_another_cluster_behind_the_same_name_is_refused(cluster):
    """Masks go by OID: what was read in one cluster says nothing about another one."""
    primary, _ = cluster
    with stack.temporary_folder() as folder:
        other = stack.Postgres(folder / "pg")
        other.start()
        other.make_database(patients.sql(5))
        road = Relay(primary.port)
        try:
            with gateway([road.port, other.port]) as gate:
                client = wire.started(sign_in(gate))
                road.stop_listening()
                error = refused(gate)
                assert error["R"] == "CHP-5103" and "not of the cluster" in error["M"]
                # The catalogue's connection came first. It goes to the other cluster; this session may not.
                road.cut(0)
                assert wire.errors(client.until())[0]["R"] == "CHP-5103"
                again = stack.wait_for(lambda: sign_in(gate), 10)
                assert wire.rows(again.query("SELECT count(*) FROM patient")) == [[b"5"]]
                again.close()
        finally:
            other.stop()


def test_every_address_of_a_name_is_tried_and_names_are_resolved_anew(cluster, tmp_path):
    """`localhost` is a name like any other; its addresses come from a file that only this gateway sees."""
    if subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("no mount namespaces of its own here: not root, or / is no mount point")
    primary, _ = cluster
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.2 localhost\n127.0.0.3 localhost\n")
    second = Relay(primary.port, "127.0.0.3")
    prefix = ["unshare", "-m", "sh", "-c", f'mount --bind {hosts} /etc/hosts && exec "$@"', "sh"]
    with gateway([f"localhost:{second.port}"], prefix=prefix) as gate:
        client = wire.started(sign_in(gate))
        assert server_of(gate, client) == f"127.0.0.3:{second.port}"
        client.close()
        fourth = Relay(primary.port, "127.0.0.4", second.port)
        hosts.write_text("127.0.0.4 localhost\n")
        client = wire.started(sign_in(gate))
        assert server_of(gate, client) == f"127.0.0.4:{second.port}"
        client.close()
        for relay in (second, fourth):
            relay.stop_listening()
