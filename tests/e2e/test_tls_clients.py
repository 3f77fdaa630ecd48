"""TLS towards clients: real ones, and one made by hand that says what it should not."""
import base64
import contextlib
import hashlib
import os
import pathlib
import re
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time

import conftest
import psycopg
import pytest
import stack
import wire

SSL_REQUEST = struct.pack("!II", 8, 80877103)
GSS_REQUEST = struct.pack("!II", 8, 80877104)


def gateway_tls(certificate, key):
    return f"  tls: {{cert: \"file:{certificate}\", key: \"file:{key}\"}}\n"


@pytest.fixture(scope="module")
def authority():
    with stack.temporary_folder() as folder:
        yield stack.Certificates(folder / "certificates")


@pytest.fixture(scope="module")
def tls_site(authority):
    with stack.temporary_folder() as folder:
        certificate, key = authority.make("gate")
        made = conftest.Site(folder, sandbox="required", listen="0.0.0.0", gateway_tls=gateway_tls(certificate, key))
        made.ca, made.certificate, made.key = authority.ca, certificate, key
        try:
            yield made
        finally:
            made.close()


def context(ca, alpn=("postgresql",)):
    c = ssl.create_default_context(cafile=str(ca))
    if alpn:
        c.set_alpn_protocols(list(alpn))
    return c


def connect(site):
    return socket.create_connection(("127.0.0.1", site.gate.port), 10)


def secured(site, version=None, **options):
    """After SSLRequest."""
    s = connect(site)
    s.sendall(SSL_REQUEST)
    assert s.recv(1) == b"S"
    c = context(site.ca, **options)
    if version:
        c.minimum_version = c.maximum_version = version
    return c.wrap_socket(s, server_hostname="localhost")


def certificate_hash(path, digest="sha256"):
    der = ssl.PEM_cert_to_DER_cert(pathlib.Path(path).read_text()[pathlib.Path(path).read_text().index("-----BEGIN"):])
    return hashlib.new(digest, der).digest()


class TlsClient(wire.Client):
    """Over a TLS socket that is there already; `gs2`, `binding`: what it says of channel binding."""

    def __init__(self, sock, user, password, gs2="n,,", binding=b"", mechanism="SCRAM-SHA-256"):
        self.seen, self.buffer, self.socket = bytearray(), b"", sock
        self.user, self.password, self.parameters, self.key = user, password, {}, None
        self.gs2, self.binding, self.mechanism = gs2, binding, mechanism
        body = struct.pack("!I", 3 << 16) + wire.cstring("user") + wire.cstring(user) + wire.cstring("database") + \
            wire.cstring("ehr") + b"\0"
        self.send(wire.message("", body))
        self.offered = None
        self._sign_in()

    def _sign_in(self):
        nonce = base64.b64encode(os.urandom(18)).decode()
        bare = f"n=,r={nonce}"
        while True:
            tag, body = self.receive()
            if tag == "E":
                raise PermissionError(wire.fields(body))
            code = struct.unpack("!I", body[:4])[0] if tag == "R" else -1
            if code == 10:
                self.offered = [m.decode() for m in body[4:].rstrip(b"\0").split(b"\0")]
                first = (self.gs2 + bare).encode()
                self.send(wire.message("p", wire.cstring(self.mechanism) + struct.pack("!I", len(first)) + first))
            elif code == 11:
                self.send(wire.message("p", wire.scram_final(self.password, bare, body[4:].decode(), self.gs2, self.binding)))
            elif tag == "Z":
                return


def ends_without_words(sock):
    """Closed, and nothing was said."""
    sock.settimeout(10)
    with contextlib.suppress(ConnectionResetError, ssl.SSLError):
        return sock.recv(4096) == b""
    return True


# --- what works ----------------------------------------------------------------------------------

@pytest.mark.core
def test_psql_verify_full_and_channel_binding(tls_site):
    for more in ({}, {"channel_binding": "require"}, {"channel_binding": "disable"},
                 {"ssl_max_protocol_version": "TLSv1.2", "channel_binding": "require"}):
        url = tls_site.url(sslmode="verify-full", sslrootcert=tls_site.ca, **more)
        done = stack.psql(url, "-At", "-c", "SELECT count(*) FROM encounter")
        assert done.returncode == 0 and done.stdout.strip().isdigit(), (more, done)


def test_psycopg_and_prefer(tls_site):
    with psycopg.connect(tls_site.url(sslmode="verify-full", sslrootcert=tls_site.ca)) as c:
        assert c.pgconn.ssl_in_use
        assert c.execute("SELECT id FROM patient WHERE id < 4 ORDER BY id").fetchall() == [(1,), (2,), (3,)]
    with psycopg.connect(tls_site.url()) as c:
        assert c.pgconn.ssl_in_use


def test_large_results_and_messages(tls_site):
    with psycopg.connect(tls_site.url(sslmode="require")) as c:
        rows = c.execute("SELECT generate_series(1, 200000)").fetchall()
        assert len(rows) == 200000 and rows[-1] == (200000,)
        text = "SELECT length('" + "x" * 900_000 + "')"
        assert c.execute(text).fetchone() == (900000,)


@pytest.mark.core
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_versions_by_hand(tls_site, version):
    s = secured(tls_site, version)
    c = TlsClient(s, "dana", tls_site.passwords["dana"])
    assert c.offered == ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"]
    assert wire.rows(c.query("SELECT 1")) == [[b"1"]]
    c.close()


@pytest.mark.parametrize("kind, digest", [("P-384", "sha384"), ("rsa:2048", "sha256"), ("rsa:3072", "sha512")])
def test_other_keys(authority, kind, digest):
    with stack.temporary_folder() as folder:
        certificate, key = authority.make("other-" + kind.replace(":", "-"), kind, digest=digest)
        site = conftest.Site(folder, gateway_tls=gateway_tls(certificate, key))
        try:
            for version in ("TLSv1.2", "TLSv1.3"):
                url = site.url(sslmode="verify-full", sslrootcert=authority.ca, channel_binding="require",
                               ssl_min_protocol_version=version, ssl_max_protocol_version=version)
                done = stack.psql(url, "-At", "-c", "SELECT 1")
                assert done.stdout == "1\n", (version, done)
            # On loopback a client may also come without.
            assert stack.psql(site.url(sslmode="disable"), "-At", "-c", "SELECT 1").stdout == "1\n"
        finally:
            site.close()


def test_one_hundred_handshakes_at_once(tls_site):
    def one():
        c = TlsClient(secured(tls_site), "ai-triage", tls_site.tokens["ai-triage"])
        rows = wire.rows(c.query("SELECT 1"))
        c.close()
        return rows

    done, failed = conftest.at_once(100, one)
    assert not failed and done == [[[b"1"]]] * 100, failed


@pytest.mark.core
def test_direct_tls_needs_alpn(tls_site):
    s = context(tls_site.ca).wrap_socket(connect(tls_site), server_hostname="localhost")
    assert s.selected_alpn_protocol() == "postgresql"
    c = TlsClient(s, "dana", tls_site.tokens["dana"])
    assert wire.rows(c.query("SELECT 2")) == [[b"2"]]
    c.close()
    for alpn in ((), ("h2",), ("postgresqlx", "http/1.1")):
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            context(tls_site.ca, alpn).wrap_socket(connect(tls_site), server_hostname="localhost")
    # After SSLRequest ALPN is not needed, but a client that names only something else is turned away.
    secured(tls_site, alpn=()).close()
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        secured(tls_site, alpn=("h2",))


class Burst:
    """A socket whose TLS records are made first and sent together, to a worker that is not looking."""

    def __init__(self, site):
        self.site, self.raw = site, connect(site)
        self.raw.sendall(SSL_REQUEST)
        assert self.raw.recv(1) == b"S"
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context(site.ca).wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")
        self.step(self.tls.do_handshake)

    def step(self, what, *arguments):
        while True:
            try:
                result = what(*arguments)
                self.raw.sendall(self.outgoing.read())
                return result
            except ssl.SSLWantReadError:
                self.raw.sendall(self.outgoing.read())
                self.incoming.write(self.raw.recv(65536))

    def sendall(self, data):
        for at in range(0, len(data), 1000):
            self.tls.write(data[at:at + 1000])
        workers = self.site.gate.pids()["worker"]
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        self.raw.sendall(self.outgoing.read())
        for pid in workers:
            os.kill(pid, signal.SIGCONT)

    def recv(self, size):
        return self.step(self.tls.read, size)

    def close(self):
        self.raw.close()


def test_no_wake_up_is_lost(tls_site):
    """What TLS has read ahead, poll() does not tell of: 64 KiB are read in a turn, the rest must come too."""
    burst = Burst(tls_site)
    c = TlsClient(burst, "ai-triage", tls_site.tokens["ai-triage"])
    burst.raw.settimeout(5)
    for more in range(0, 24000, 1500):
        text = "SELECT length('" + "x" * (65536 + more) + "')"
        assert wire.rows(c.query(text)) == [[str(65536 + more).encode()]]
    # A refusal waits for the disk, and nothing is read meanwhile; then the rest is wanted, and is here already.
    for more in range(0, 16000, 1000):
        text = "SELECT length('" + "x" * (130000 + more) + "')"
        refused = c.ask(wire.query("DELETE FROM encounter"), wire.query(text))
        assert wire.errors(refused) and wire.rows(c.until()) == [[str(130000 + more).encode()]]
    burst.close()


# --- what does not ---------------------------------------------------------------------------------

@pytest.mark.core
def test_no_client_without_tls(tls_site):
    done = stack.psql(tls_site.url(sslmode="disable"), "-c", "SELECT 1")
    assert done.returncode == 2 and "this gateway takes connections with TLS only" in done.stderr, done.stderr
    with connect(tls_site) as s:
        s.sendall(GSS_REQUEST)
        assert s.recv(1) == b"N"
        s.sendall(SSL_REQUEST)
        assert s.recv(1) == b"S"
        c = TlsClient(context(tls_site.ca).wrap_socket(s, server_hostname="localhost"), "dana", tls_site.tokens["dana"])
        c.close()


def test_bytes_behind_the_request(tls_site):
    """CVE-2021-23214: what was sent in plain text must not be taken for the inside of TLS."""
    startup = wire.message("", struct.pack("!I", 3 << 16) + b"user\0mallory\0\0")
    for behind in (b"x", startup, b"\x16\x03\x01"):
        with connect(tls_site) as s:
            s.sendall(SSL_REQUEST + behind)
            answer = b""
            with contextlib.suppress(ConnectionResetError):
                while chunk := s.recv(4096):
                    answer += chunk
            assert answer[:1] != b"S", answer
    with connect(tls_site) as s:  # late, but before any handshake: TLS does not know it
        s.sendall(SSL_REQUEST)
        assert s.recv(1) == b"S"
        s.sendall(startup)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while chunk := s.recv(4096):
                answer += chunk
        assert b"R\0\0\0" not in answer and answer[:1] in (b"", b"\x15"), answer


def test_nothing_to_ask_for_inside(tls_site):
    for request in (SSL_REQUEST, GSS_REQUEST):
        s = secured(tls_site)
        s.sendall(request)
        answer = b""
        with contextlib.suppress(ssl.SSLError, ConnectionResetError):
            while chunk := s.recv(4096):
                answer += chunk
        assert answer[:1] == b"E" and b"08P01" in answer, answer


def test_old_versions_and_weak_ciphers(tls_site):
    for old in ("TLSv1", "TLSv1.1"):
        words = ["openssl", "s_client", "-starttls", "postgres", "-connect", f"127.0.0.1:{tls_site.gate.port}",
                 "-cipher", "ALL:@SECLEVEL=0", f"-{old.lower().replace('v', '').replace('.', '_')}"]
        done = subprocess.run(words, input="", text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20)
        assert "Cipher is (NONE)" in done.stdout or done.returncode != 0, done.stdout
    words = ["openssl", "s_client", "-starttls", "postgres", "-connect", f"127.0.0.1:{tls_site.gate.port}", "-tls1_2",
             "-cipher", "AES128-SHA:ECDHE-ECDSA-AES128-SHA:AES256-GCM-SHA384"]
    done = subprocess.run(words, input="", text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20)
    assert "Cipher is (NONE)" in done.stdout, done.stdout


def test_no_resumption(tls_site):
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        c = context(tls_site.ca)
        c.minimum_version = c.maximum_version = version
        session = None
        for _ in range(2):
            s = connect(tls_site)
            s.sendall(SSL_REQUEST)
            s.recv(1)
            s = c.wrap_socket(s, server_hostname="localhost", session=session)
            one = TlsClient(s, "dana", tls_site.tokens["dana"])
            assert not s.session_reused
            session = s.session
            assert version == ssl.TLSVersion.TLSv1_2 or session is None or not session.has_ticket
            one.close()


# --- channel binding ----------------------------------------------------------------------------------

def test_binding_is_checked(tls_site):
    ours, plus = certificate_hash(tls_site.certificate), "SCRAM-SHA-256-PLUS"
    p, password = "p=tls-server-end-point,,", tls_site.tokens["dana"]
    TlsClient(secured(tls_site), "dana", password, p, ours, plus).close()
    TlsClient(secured(tls_site), "dana", password, "n,,").close()
    for gs2, binding, mechanism in (
            (p, bytes(32), plus),                       # another certificate's
            (p, b"", plus),
            ("y,,", b"", "SCRAM-SHA-256"),              # somebody took our offer away
            ("n,,", b"", plus),
            (p, ours, "SCRAM-SHA-256"),
            ("p=tls-unique,,", ours, plus),
            ("p=tls-exporter,,", ours, plus)):
        with pytest.raises(PermissionError):
            TlsClient(secured(tls_site), "dana", password, gs2, binding, mechanism)
    with pytest.raises(PermissionError, match="channel binding was offered"):
        TlsClient(secured(tls_site), "dana", password, "y,,")


def test_a_proof_through_another_tls_is_refused(tls_site, authority):
    """A man in the middle with a certificate that the client believes: the proof is bound to his."""
    certificate, key = authority.make("middle")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    listener = socket.create_server(("127.0.0.1", 0))

    def pump(a, b):
        with contextlib.suppress(OSError):
            while data := a.recv(65536):
                b.sendall(data)
        with contextlib.suppress(OSError):
            b.close()

    def middle():
        with contextlib.suppress(OSError):
            inner, _ = listener.accept()
            inner.recv(8)
            inner.sendall(b"S")
            inner, outer = server.wrap_socket(inner, server_side=True), secured(tls_site)
            threading.Thread(target=pump, args=(outer, inner), daemon=True).start()
            pump(inner, outer)

    threading.Thread(target=middle, daemon=True).start()
    port = listener.getsockname()[1]
    url = tls_site.url(sslmode="verify-full", sslrootcert=tls_site.ca, channel_binding="require")
    done = stack.psql(url.replace(f":{tls_site.gate.port}/", f":{port}/"), "-c", "SELECT 1", timeout=20)
    listener.close()
    assert done.returncode == 2 and "not signed in" in done.stderr, done.stderr


# --- the key, and the keeper that has it ------------------------------------------------------------------

def memory_of(pid):
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            m = re.match(r"([0-9a-f]+)-([0-9a-f]+) r", line)
            if not m or line.rstrip().endswith(("[vvar]", "[vsyscall]")):
                continue
            begin, end = int(m[1], 16), int(m[2], 16)
            with contextlib.suppress(OSError, ValueError, OverflowError):
                mem.seek(begin)
                yield mem.read(end - begin)


def private_numbers(key):
    """The scalar or the primes, as bytes in both orders."""
    text = subprocess.run(["openssl", "pkey", "-in", key, "-noout", "-text"], check=True, text=True,
                          stdout=subprocess.PIPE).stdout
    found = []
    for name in ("priv", "prime1", "prime2", "privateExponent"):
        m = re.search(rf"^{name}:\n((?: +[0-9a-f:]+\n)+)", text, re.M)
        if m:
            number = bytes.fromhex(re.sub(r"[\s:]", "", m[1])).lstrip(b"\0")
            found += [number, number[::-1]]
    assert found
    return found


@pytest.mark.skipif(os.geteuid() != 0, reason="LOUD: only root can read a worker's memory; the key was not looked for")
@pytest.mark.parametrize("kind", ["P-256", "rsa:2048"])
def test_no_worker_has_the_key(authority, kind):
    with stack.temporary_folder() as folder:
        certificate, key = authority.make("memory-" + kind.replace(":", "-"), kind)
        numbers = private_numbers(key)
        pem = key.read_text().splitlines()[1].encode()
        site = conftest.Site(folder, gateway_tls=gateway_tls(certificate, key))
        try:
            open_ones = [psycopg.connect(site.url(sslmode="require")) for _ in range(8)]
            pids = site.gate.pids()

            def holds(pid):
                return any(n in piece for piece in memory_of(pid) for n in (*numbers, pem))

            assert holds(pids["keeper"][0]), "the search finds nothing where the key is"
            for role in ("worker", "supervisor", "console"):
                for pid in pids[role]:
                    assert not holds(pid), role
            for c in open_ones:
                c.close()
        finally:
            site.close()


@pytest.mark.core
def test_the_keeper_dies_during_handshakes(tls_site):
    """Questions are asked again of the new one: every handshake ends well, none hangs."""
    keeper = tls_site.gate.pids()["keeper"][0]
    results = []

    def one():
        try:
            s = secured(tls_site)
            results.append("ok")
            s.close()
        except OSError as e:
            results.append(repr(e))

    os.kill(keeper, signal.SIGSTOP)
    threads = [threading.Thread(target=one) for _ in range(10)]
    for t in threads:
        t.start()
    time.sleep(0.5)
    assert results == []
    os.kill(keeper, signal.SIGKILL)
    for t in threads:
        t.join(20)
    assert results == ["ok"] * 10, results
    stack.wait_for(lambda: all(p["ready"] for p in tls_site.gate.json("status")["processes"]))


def test_a_keeper_that_never_answers(tls_site):
    """The handshake has the sign-in deadline, the others go on, and nothing is left behind."""
    keeper = tls_site.gate.pids()["keeper"][0]
    with psycopg.connect(tls_site.url(sslmode="require"), autocommit=True) as other:
        os.kill(keeper, signal.SIGSTOP)
        try:
            s = connect(tls_site)
            s.settimeout(30)
            s.sendall(SSL_REQUEST)
            assert s.recv(1) == b"S"
            started = time.monotonic()
            with pytest.raises((ssl.SSLError, ConnectionResetError, OSError)):
                context(tls_site.ca).wrap_socket(s, server_hostname="localhost")
            assert 10 < time.monotonic() - started < 20
        finally:
            os.kill(keeper, signal.SIGCONT)
        assert other.execute("SELECT 3").fetchone() == (3,)
    secured(tls_site).close()


# --- starting ------------------------------------------------------------------------------------------------

def refused_start(folder, certificate, key):
    gate = stack.Gateway(folder, stack.free_port(), gateway_tls=gateway_tls(certificate, key))
    gate.start(wait=False)
    try:
        code = gate.process.wait(20)
    finally:
        gate.stop()
    return code, gate.log_text()


def test_starts_that_are_refused(authority):
    with stack.temporary_folder() as folder:
        good, key = authority.make("good")
        other, other_key = authority.make("second")
        expired, expired_key = authority.make("expired", days=-2)
        weak, weak_key = authority.make("weak", "rsa:1024")
        empty, broken = folder / "empty.pem", folder / "broken.pem"
        empty.write_text("nothing here\n")
        broken.write_text(good.read_text().replace("M", "N", 5))
        for path in (empty, broken):
            os.chmod(path, 0o644)
        for at, (certificate, private, words) in enumerate((
                (good, other_key, "do not belong together"), (good, good, "two files"),
                (expired, expired_key, "has expired"), (weak, weak_key, "must be P-256"),
                (empty, key, "no certificate in PEM"), (broken, key, "certificate"),
                (good, empty, "not an unencrypted private key"), (folder / "none.pem", key, "cannot read"),
                (good, folder / "none.key", "cannot be read"))):
            code, log = refused_start(folder / f"gate-{at}", certificate, private)
            assert code in (1, 2) and words in log, (words, code, log)


def test_a_certificate_that_ends_soon(authority):
    with stack.temporary_folder() as folder:
        gate = stack.Gateway(folder / "gate", stack.free_port(), gateway_tls=gateway_tls(*authority.make("soon", days=5)))
        gate.start()
        try:
            assert "the certificate expires in 5 days" in gate.log_text()
            assert gate.json("status")["tls"]["days_left"] == 5
            doctor = gate.cli("doctor", check=False).stdout
            assert re.search(r"FAIL .*certificate.* 5 days", doctor), doctor
        finally:
            gate.stop()
