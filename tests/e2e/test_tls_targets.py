"""TLS towards targets: a real server with certificates of all kinds, and some that only look like one."""
import base64
import contextlib
import json
import re
import socket
import ssl
import struct
import threading
import time

import conftest
import psycopg
import pytest
import stack
import wire

SSL_REQUEST = struct.pack("!II", 8, 80877103)


@pytest.fixture(scope="module")
def authority():
    with stack.temporary_folder() as folder:
        yield stack.Certificates(folder / "certificates")


def target_tls(ca):
    return f'mode: verify-full, ca: "file:{ca}"'


@pytest.fixture(scope="module")
def site(authority):
    """TLS on both legs."""
    with stack.temporary_folder() as folder:
        certificate, key = authority.make("gate")
        made = conftest.Site(
            folder, pg_tls=authority.make("server", names="DNS:localhost"), sandbox="required", listen="0.0.0.0",
            target_host="localhost", target_tls=target_tls(authority.ca),
            gateway_tls=f'  tls: {{cert: "file:{certificate}", key: "file:{key}"}}\n')
        made.ca = authority.ca
        try:
            yield made
        finally:
            made.close()


@contextlib.contextmanager
def gateway(site, host="localhost", port=None, ca=None):
    """Another gateway in front of the same server, or of whatever listens on `port`."""
    with stack.temporary_folder() as folder:
        gate = stack.Gateway(folder / "gate", port or site.pg.port, target_host=host,
                             target_tls=target_tls(ca or site.ca)).start()
        try:
            gate.cli("user", "add", "dana", "--group", "clinical", input="correct-horse-1\n")
            yield gate
        finally:
            gate.stop()


def try_it(gate):
    return stack.psql(gate.url("dana", "correct-horse-1"), "-At", "-c", "SELECT 1", timeout=40)


def refused(gate, *words):
    done = try_it(gate)
    assert done.returncode == 2 and "CHP-5101" in done.stderr, done
    log = gate.log_text()
    assert all(word in log for word in words), (words, log)
    assert "nothing is sent to it in plain text" in log
    return log


# --- what works -----------------------------------------------------------------------------------

@pytest.mark.core
def test_both_legs(site):
    url = site.url(sslmode="verify-full", sslrootcert=site.ca, channel_binding="require")
    done = stack.psql(url, "-At", "-c", "SELECT count(*) FROM encounter")
    assert done.returncode == 0 and int(done.stdout) > 0, done
    with psycopg.connect(url) as c:
        assert len(c.execute("SELECT generate_series(1, 100000)").fetchall()) == 100000
        assert c.execute("SELECT last_name FROM patient WHERE id = 1").fetchone() == ("▒▒▒▒▒",)
    seen = site.pg.value("SELECT count(*) FILTER (WHERE NOT ssl) || '/' || count(*) FROM pg_stat_ssl JOIN "
                         "pg_stat_activity USING (pid) WHERE usename = 'gate_ehr'")
    assert re.fullmatch(r"0/[1-9]\d*", seen), seen  # the catalogue's connections too


def test_the_record_says_so(site):
    with psycopg.connect(site.url(sslmode="require")) as c:
        c.execute("SELECT 1").fetchone()
    stack.wait_for(lambda: any(s.get("ended_ns") for s in site.gate.json("session", "ls", token=site.tokens["pat"])["items"]))
    mine = [s for s in site.gate.json("session", "ls", token=site.tokens["pat"])["items"] if s.get("ended_ns")][0]
    site.gate.cli("audit", "checkpoint")
    played = site.gate.cli("session", "play", mine["id"], "-o", "jsonl", token=site.tokens["pat"]).stdout
    said = {}
    for line in map(json.loads, played.splitlines()):
        if line["type"] in ("session.start", "session.end"):
            said.update(json.loads(base64.b64decode(line["data"])))
    for field in ("tls_version", "tls_cipher", "target_tls_version", "target_tls_cipher"):
        assert said[field].startswith("TLS"), said
    assert said["tls_bound"] is True


def test_one_hundred_at_once(site):
    def one():
        with psycopg.connect(site.url("ai-triage", sslmode="require")) as c:  # a token: few rounds of PBKDF2
            return c.execute("SELECT 7").fetchone()

    done, failed = conftest.at_once(100, one)
    assert not failed and done == [(7,)] * 100, failed[:3]


def test_cancel_goes_over_tls(site):
    with psycopg.connect(site.url(sslmode="require"), autocommit=True) as c:
        timer = threading.Timer(1, c.cancel)
        timer.start()
        started = time.monotonic()
        with pytest.raises(psycopg.errors.QueryCanceled):
            c.execute("SELECT count(*) FROM generate_series(1, 2000000000)")
        assert time.monotonic() - started < 10


def test_an_address_and_other_keys(authority):
    for kind, names, host, digest in (("rsa:2048", "IP:127.0.0.1", "127.0.0.1", "sha256"),
                                      ("P-384", "DNS:localhost", "localhost", "sha384"),
                                      ("ed25519", "DNS:localhost", "localhost", "sha256")):
        with stack.temporary_folder() as folder:
            made = conftest.Site(folder, pg_tls=authority.make("key-" + kind.replace(":", ""), kind, names, digest=digest),
                                 target_host=host, target_tls=target_tls(authority.ca))
            try:
                assert made.psql("SELECT 1;").returncode == 0
            finally:
                made.close()


def test_tls_1_2_only(authority):
    with stack.temporary_folder() as folder:
        pg = stack.Postgres(folder / "pg")
        pg.start(*pg.tls(*authority.make("twelve", "rsa:2048")), "ssl_max_protocol_version=TLSv1.2")
        try:
            import patients
            pg.make_database(patients.sql(5))
            gate = stack.Gateway(folder / "gate", pg.port, target_tls=target_tls(authority.ca)).start()
            try:
                gate.cli("user", "add", "dana", "--group", "clinical", input="correct-horse-1\n")
                assert try_it(gate).stdout == "1\n"
                assert "TLSv1.2" in pg.value("SELECT DISTINCT version FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) "
                                             "WHERE usename = 'gate_ehr'")
            finally:
                gate.stop()
        finally:
            pg.stop()


# --- whom we do not believe ---------------------------------------------------------------------------

@pytest.mark.core
def test_wrong_authority(site):
    with stack.temporary_folder() as folder:
        other = stack.Certificates(folder / "other", "somebody else")
        with gateway(site, ca=other.ca) as gate:
            refused(gate, "certificate")


def test_wrong_host(site):
    with gateway(site, host="127.0.0.1") as gate:  # its certificate is for localhost
        refused(gate, "IP address mismatch")


def test_wrong_name(authority):
    with stack.temporary_folder() as folder:
        pg = stack.Postgres(folder / "pg")
        pg.start(*pg.tls(*authority.make("elsewhere", names="DNS:db.example.org")))
        try:
            gate = stack.Gateway(folder / "gate", pg.port, target_host="localhost", target_tls=target_tls(authority.ca)).start()
            try:
                gate.cli("user", "add", "dana", "--group", "clinical", input="correct-horse-1\n")
                refused(gate, "hostname mismatch")
            finally:
                gate.stop()
        finally:
            pg.stop()


def test_expired(authority):
    with stack.temporary_folder() as folder:
        pg = stack.Postgres(folder / "pg")
        pg.start(*pg.tls(*authority.make("old", days=-3)))
        try:
            gate = stack.Gateway(folder / "gate", pg.port, target_tls=target_tls(authority.ca)).start()
            try:
                gate.cli("user", "add", "dana", "--group", "clinical", input="correct-horse-1\n")
                refused(gate, "certificate has expired")
            finally:
                gate.stop()
        finally:
            pg.stop()


class Fake:
    """Listens, keeps what it was told, and says what the test says."""

    def __init__(self, talk):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port, self.talk, self.heard = self.listener.getsockname()[1], talk, []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                s, _ = self.listener.accept()
                threading.Thread(target=self._one, args=(s,), daemon=True).start()

    def _one(self, s):
        with contextlib.suppress(OSError), s:
            first = s.recv(4096)
            self.heard.append(first)
            self.talk(self, s)

    def close(self):
        self.listener.close()


def drain(fake, s):
    s.settimeout(3)
    with contextlib.suppress(OSError):
        while data := s.recv(4096):
            fake.heard.append(data)


@pytest.mark.core
@pytest.mark.parametrize("answer, words", [(b"N", "does not offer TLS"), (b"E", "does not speak TLS"),
                                           (b"R\0\0\0\x08\0\0\0\0", "does not speak TLS"), (b"", "hung up")])
def test_no_way_back_to_plain_text(site, answer, words):
    def talk(fake, s):
        if answer:
            s.sendall(answer)
            drain(fake, s)

    fake = Fake(talk)
    try:
        with gateway(site, port=fake.port) as gate:
            refused(gate, words)
        assert set(fake.heard) == {SSL_REQUEST}, fake.heard  # not a byte more
    finally:
        fake.close()


def test_plain_bytes_behind_the_answer(site):
    """CVE-2021-23222: an early AuthenticationOk must not be taken for the inside of TLS."""
    fake = Fake(lambda fake, s: (s.sendall(b"S" + b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I"), drain(fake, s)))
    try:
        with gateway(site, port=fake.port) as gate:
            refused(gate)
        assert not any(b"gate_ehr" in h for h in fake.heard)
    finally:
        fake.close()


def test_a_target_that_never_shakes_hands(site):
    fake = Fake(lambda fake, s: (s.sendall(b"S"), time.sleep(40)))
    try:
        with gateway(site, port=fake.port) as gate:
            started = time.monotonic()
            done = try_it(gate)
            assert done.returncode == 2 and "CHP-5101" in done.stderr, done
            assert time.monotonic() - started < 30
            assert gate.json("status")["recording"]
    finally:
        fake.close()


class Middle:
    """A man in the middle with a certificate that the gateway believes."""

    def __init__(self, target_port, certificate, key, change=lambda data: data):
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.load_cert_chain(certificate, key)
        self.target_port, self.change = target_port, change
        self.fake = Fake(self._talk)
        self.port = self.fake.port

    def _talk(self, fake, s):
        s.sendall(b"S")
        inner = self.server.wrap_socket(s, server_side=True)
        outer = socket.create_connection(("127.0.0.1", self.target_port), 10)
        outer.sendall(SSL_REQUEST)
        assert outer.recv(1) == b"S"
        trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        outer = trusting.wrap_socket(outer)
        threading.Thread(target=self._pump, args=(outer, inner, self.change), daemon=True).start()
        self._pump(inner, outer, lambda data: data)

    @staticmethod
    def _pump(a, b, change):
        with contextlib.suppress(OSError, ValueError):
            while data := a.recv(65536):
                b.sendall(change(data))
        with contextlib.suppress(OSError):
            b.close()


@pytest.mark.parametrize("strip", [False, True])
def test_the_proof_is_bound_to_the_certificate(site, authority, strip):
    """The server sees another certificate's hash; with its offer taken away it is told "y" and knows."""
    def change(data):
        return data.replace(b"\0\0\0\x2a\0\0\0\x0aSCRAM-SHA-256-PLUS\0", b"\0\0\0\x17\0\0\0\x0a") if strip else data

    middle = Middle(site.pg.port, *authority.make(f"middle-{strip}"), change)
    try:
        with gateway(site, port=middle.port) as gate:
            done = try_it(gate)
            assert done.returncode == 2, done
            assert "the gateway's credential was refused" in gate.log_text()
            assert middle.fake.heard
    finally:
        middle.fake.close()
