"""A worker that somebody has taken over: what is in its memory, and what it can still do.

The first half looks into the workers of the plain build from outside, as root. The second half needs a build whose
workers obey whoever connects (-Dtest_taken_over=true; src/worker/taken_over.c has the words): each attack must be
refused, and in the end the record verifies and another worker's session goes on as if nothing had been.
"""
import base64
import contextlib
import hashlib
import hmac
import os
import pathlib
import re
import sqlite3
import struct
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "demo"), str(ROOT / "tests/e2e")]

import conftest  # noqa: E402
import patients  # noqa: E402,F401
import stack  # noqa: E402
import wire  # noqa: E402

BUILD = "build-taken-over"
SIGSYS, EBADF = 31, 9
NOTHING = bytes(1 << 20)
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root reads another process's memory, and gives accounts")


def make_site(folder, build=None):
    authority = stack.Certificates(folder / "certificates")
    certificate, key = authority.make("gate")
    old = os.environ.get("CHAPERONE_BUILD")
    try:
        if build:
            os.environ["CHAPERONE_BUILD"] = build
        site = conftest.Site(folder, sandbox="required", gateway_tls=f'  tls: {{cert: "file:{certificate}", key: "file:{key}"}}\n')
    finally:
        if build:
            os.environ.pop("CHAPERONE_BUILD")
            if old:
                os.environ["CHAPERONE_BUILD"] = old
    site.key = key
    return site


# --- memory ---------------------------------------------------------------------------------------

def memory_of(pid):
    """Every byte that it could have written, one mapping at a time: what is a library's own is no secret."""
    for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
        where, rights = line.split()[:2]
        if not rights.startswith("rw") or line.endswith(("[vvar]", "[vsyscall]", "[vdso]")):
            continue
        begin, end = (int(x, 16) for x in where.split("-"))
        with contextlib.suppress(OSError), open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
            memory.seek(begin)
            left = end - begin
            piece = b""
            while left > 0:
                more = memory.read(min(left, len(NOTHING)))
                if not more:
                    break
                left -= len(more)
                if more != NOTHING:  # most of what is mapped was never touched
                    yield piece[-4096:] + more
                piece = more


def found_in(pid, secrets):
    return {name for piece in memory_of(pid) for name, value in secrets.items() if value in piece}


class Vault:
    """What the keeper keeps, read from disk as root and opened with the root key."""

    def __init__(self, site):
        state = site.gate.folder / "state"
        self.root = (state / "root.key").read_bytes()
        self.wrap = hmac.digest(self.root, b"chaperone 1 wrap\x01", "sha256")
        self.store = sqlite3.connect(f"file:{state}/state.db?mode=ro", uri=True)

    def open(self, sealed):
        """AES-256-GCM without looking at the tag: counter mode from 2 on."""
        done = subprocess.run(["openssl", "enc", "-aes-256-ctr", "-K", self.wrap.hex(), "-iv", sealed[:12].hex() + "00000002"],
                              input=sealed[12:-16], stdout=subprocess.PIPE, check=True)
        return done.stdout

    def rows(self, text, *values):
        return self.store.execute(text, values).fetchall()

    def session(self, name):
        return self.rows("SELECT id, writer, audit_key, content_key FROM session WHERE text = ?", name)[0]

    def record_key(self, key):
        return self.open(self.rows("SELECT wrapped FROM record_key WHERE id = ?", key)[0][0])


def target_secrets(site):
    """The gateway's credential on the target, in every form that signs in."""
    said = site.pg.value("SELECT rolpassword FROM pg_authid WHERE rolname = 'gate_ehr'", "postgres")
    rounds, salt, stored, _ = re.match(r"SCRAM-SHA-256\$(\d+):([^$]+)\$([^:]+):(.+)", said).groups()
    salted = hashlib.pbkdf2_hmac("sha256", stack.GATE_PASSWORD.encode(), base64.b64decode(salt), int(rounds))
    client = hmac.digest(salted, b"Client Key", "sha256")
    assert hashlib.sha256(client).digest() == base64.b64decode(stored)
    return {"target password": stack.GATE_PASSWORD.encode(), "target salted password": salted, "target client key": client}


def private_scalar(key):
    text = subprocess.run(["openssl", "pkey", "-in", key, "-text", "-noout"], stdout=subprocess.PIPE, text=True, check=True).stdout
    digits = re.search(r"priv:\s*([0-9a-f:\s]+?)pub:", text).group(1)
    return bytes.fromhex(re.sub(r"[^0-9a-f]", "", digits))[-32:]


def forbidden(site, vault, own):
    """{name: bytes} that no worker may hold; `own`: the sessions that live in it."""
    secrets = {"root key": vault.root, "wrapping key": vault.wrap, **target_secrets(site)}
    seed = vault.open(vault.rows("SELECT value FROM meta WHERE name = 'signing_seed'")[0][0])
    secrets["signing seed"] = seed
    scalar = private_scalar(site.key)
    secrets["TLS private key"] = scalar
    secrets["TLS private key, as OpenSSL's words"] = scalar[::-1]
    secrets["TLS private key, as PEM"] = pathlib.Path(site.key).read_bytes()[60:120]
    for user, stored, server in vault.rows("SELECT user, stored_key, server_key FROM verifier"):
        secrets[f"stored key of {user} {stored[:3].hex()}"] = stored
        secrets[f"server key of {user} {server[:3].hex()}"] = server
    for user, value in {**site.passwords, **site.tokens}.items():
        secrets[f"secret of {user} {value[:3]}"] = value.encode()
    for purpose in ("fake salt", "fake verifier", "record salt", "token lookup", "pseudonym"):
        secrets[f"derived key: {purpose}"] = hmac.digest(vault.root, f"chaperone 1 {purpose}\x01".encode(), "sha256")
    for name, audit, content in vault.rows("SELECT text, audit_key, content_key FROM session WHERE ended = 0"):
        if name not in own:
            secrets[f"audit key of {name}"] = vault.record_key(audit)
            secrets[f"content key of {name}"] = vault.record_key(content)
    return secrets


def live_sessions(site, enough=8):
    """Clients on every worker, of several people; {worker's pid: [session]} by what the store says."""
    clients = [site.wire(user, application_name=f"canary-{i}") for i, user in enumerate(["dana", "erin", "ai-triage"] * 4)]
    for c in clients:
        c.query("SELECT mrn, last_name FROM patient WHERE id < 20 /* canary-statement-5b1e */")
    return clients


@pytest.fixture(scope="module")
def site():
    with stack.temporary_folder() as folder:
        made = make_site(folder)
        try:
            yield made
        finally:
            made.close()


def by_writer(vault):
    found = {}
    for name, writer in vault.rows("SELECT text, writer FROM session WHERE ended = 0"):
        found.setdefault(writer, []).append(name)
    return found


def writer_of(pid):
    """`chaperone --child worker SLOT WRITER`."""
    words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return bytes.fromhex(words[4].decode())


def test_no_worker_holds_what_is_not_its_own(site):
    clients = live_sessions(site)
    site.psql("SELECT 1")
    stack.psql(site.url(sslmode="require"), "-c", "SELECT 1")
    vault = Vault(site)
    sessions = by_writer(vault)
    workers = site.gate.pids()["worker"]
    assert len(workers) == 2 and all(sessions.get(writer_of(pid)) for pid in workers), "sessions in every worker"
    for pid in workers:
        own = sessions[writer_of(pid)]
        keys = {f"own audit key {n}": vault.record_key(vault.session(n)[2]) for n in own[:1]}
        # The scan sees what is there: a statement that ran, the key that the session was lent.
        assert "text" in found_in(pid, {"text": b"canary-statement-5b1e", **keys})
        secrets = forbidden(site, vault, own)
        assert len(secrets) > 30
        assert found_in(pid, secrets) == set()
    # And it is the keeper that has them: the scan would have found them.
    keeper = found_in(site.gate.pids()["keeper"][0], forbidden(site, vault, []))
    assert {"signing seed", "TLS private key, as OpenSSL's words", "target salted password"} & keeper, keeper
    for c in clients:
        c.close()


def test_the_console_holds_nothing(site):
    clients = live_sessions(site)
    site.gate.cli("user", "ls")
    vault = Vault(site)
    secrets = {k: v for k, v in forbidden(site, vault, []).items() if not k.startswith("secret of")}
    assert found_in(site.gate.pids()["console"][0], secrets) == set()
    for c in clients:
        c.close()


# --- a worker that obeys ----------------------------------------------------------------------------

@pytest.fixture(scope="module")
def taken():
    """The other build, made here; it stays for the next time. Release and package builds refuse it."""
    folder = ROOT / BUILD
    if not (folder / "build.ninja").exists():
        subprocess.run(["meson", "setup", str(folder), "-Dtest_taken_over=true", "-Dbuildtype=debugoptimized"], cwd=ROOT,
                       check=True, stdout=subprocess.PIPE)
    subprocess.run(["ninja", "-C", str(folder), "--quiet", "chaperone"], check=True, stdout=subprocess.PIPE)
    with stack.temporary_folder() as where:
        made = make_site(where, BUILD)
        try:
            yield made
        finally:
            made.close()


def test_no_release_is_built_so():
    for kind in ("release", "plain"):
        with stack.temporary_folder() as folder:
            done = subprocess.run(["meson", "setup", str(folder / "b"), "-Dtest_taken_over=true", f"-Dbuildtype={kind}"],
                                  cwd=ROOT, stdout=subprocess.PIPE, text=True)
            assert done.returncode != 0 and "test_taken_over is for tests" in done.stdout, kind
    plain = subprocess.run([ROOT / os.environ.get("CHAPERONE_BUILD", "build") / "chaperone", "version"], stdout=subprocess.PIPE, text=True)
    assert "TAKEN-OVER" not in plain.stdout


class Gone(Exception):
    pass


def obey(site, words, slot=None, wait=10):
    """What the worker said; Gone: it ended without a word."""
    for _ in range(200):
        try:
            wire.Client(site.gate.port, "dana", "none", timeout=wait,
                        application_name="taken-over " + (f"@{slot} " if slot is not None else "") + words)
        except PermissionError as e:
            said = e.args[0]["M"].split("): ", 1)[1].split("; ")[0]
            if said != "elsewhere":
                return said
        except (wire.ServerClosed, ConnectionError) as e:
            if isinstance(e, ConnectionRefusedError):
                time.sleep(0.02)
                continue
            raise Gone() from None
    raise TimeoutError(words)


def who(site, slot):
    return dict(pair.split("=") for pair in obey(site, "who", slot).split())


@pytest.fixture(scope="module")
def scene(taken):
    """A victim with a session in worker 0, and what an attacker in worker 1 would like to know."""
    for _ in range(50):
        client = taken.wire("dana")
        vault = Vault(taken)
        name = client.parameters["chaperone.session"]
        if vault.session(name)[1].hex() == who(taken, 0)["writer"]:
            break
        client.close()
    client.query("SELECT last_name FROM patient WHERE id = 7 /* the victim's */")
    scene = type("Scene", (), {})()
    scene.site, scene.client, scene.name, scene.vault, scene.id = taken, client, name, vault, vault.session(name)[0]
    scene.victim_writer = vault.session(name)[1]
    scene.keeper = taken.gate.pids()["keeper"][0]
    yield scene
    client.close()


def text(value):
    return "x:" + (value if isinstance(value, bytes) else str(value).encode()).hex()


def calls(scene):
    """name: (number, arguments…) on x86-64; FD stands for the worker's own segment."""
    state = scene.site.gate.folder / "state"
    victim_segment = sorted((state / "journal").glob("*"))[0]
    keeper, at = scene.keeper, -100
    return {
        "openat state": (257, at, text(state / "state.db"), 0), "openat root key": (257, at, text(state / "root.key"), 0),
        "openat another's journal": (257, at, text(victim_segment), 0), "openat config": (257, at, text(scene.site.gate.config), 0),
        "openat passwd": (257, at, text("/etc/passwd"), 0), "open": (2, text("/etc/passwd"), 0), "openat2": (437, at, text("/"), 0, 24),
        "/proc/self/maps": (257, at, text("/proc/self/maps"), 0), "open_by_handle_at": (304, 0, 0, 0), "memfd_create": (319, text("x"), 0),
        "socket": (41, 1, 1, 0), "connect": (42, 3, text(scene.site.gate.folder / "admin.sock"), 110), "socketpair": (53, 1, 1, 0, 0),
        "bind": (49, 3, 0, 0), "listen": (50, 6, 1),
        "execve": (59, text("/bin/sh"), 0, 0), "execveat": (322, at, text("/bin/sh"), 0, 0, 0), "fork": (57,), "vfork": (58,),
        "clone": (56, 17, 0, 0, 0, 0), "clone3": (435, 0, 0), "unshare": (272, 0x10000000), "setns": (308, 3, 0),
        "ptrace": (101, 16, keeper, 0, 0), "process_vm_readv": (310, keeper, 0, 0, 0, 0, 0), "process_vm_writev": (311, keeper, 0, 0, 0, 0, 0),
        "kill": (62, keeper, 9), "tkill": (200, keeper, 9), "tgkill": (234, keeper, keeper, 9), "pidfd_open": (434, keeper, 0),
        "rt_sigqueueinfo": (129, keeper, 9, 0), "prctl": (157, 4, 1, 0, 0, 0), "seccomp": (317, 1, 0, 0),
        "mprotect exec": (10, 4096, 4096, 5), "mmap exec": (9, 0, 4096, 7, 0x22, -1), "mmap shared": (9, 0, 4096, 1, 1, "FD", 0),
        "pkey_mprotect": (329, 4096, 4096, 5, 0), "ftruncate": (77, "FD", 0), "pwrite64": (18, "FD", text("x"), 1, 0),
        "F_SETFL": (72, "FD", 4, 0), "lseek": (8, "FD", 0, 0), "fallocate": (285, "FD", 3, 0, 4096), "sendfile": (40, "FD", 4, 0, 10),
        "dup2": (33, "FD", 3), "unlink": (87, text(state / "state.db")), "rename": (82, text(state), text("/tmp/x")),
        "chmod": (90, text(state), 0o777), "link": (86, text(state / "root.key"), text("/tmp/x")), "setuid": (105, 0),
        "io_uring_setup": (425, 8, 0), "bpf": (321, 0, 0, 0), "keyctl": (250, 0, 0), "userfaultfd": (323, 0), "ioctl TIOCSTI": (16, 2, 0x5412, text("x")),
        "read its own segment": (0, "FD", text("....."), 4), "pread64 its own segment": (17, "FD", text("....."), 4, 0),
    }


HARMLESS = {"read its own segment": EBADF, "pread64 its own segment": EBADF}


def ready(scene):
    stack.wait_for(lambda: len(scene.site.gate.pids()["worker"]) == 2, 15)


def test_what_a_worker_may_not_call(scene):
    """Ended by the filter at the first try; what is no way out says EBADF."""
    survived = {}
    for name, (number, *arguments) in calls(scene).items():
        ready(scene)
        about = who(scene.site, 1)
        words = " ".join(str(about["segment_fd"] if a == "FD" else a) for a in (number, *arguments))
        try:
            said = obey(scene.site, f"call {words}", 1)
            if name not in HARMLESS or said != f"result=-1 errno={HARMLESS[name]}":
                survived[name] = said
        except Gone:
            ended = f"(pid {about['pid']}) by signal {SIGSYS}"
            stack.wait_for(lambda: ended in scene.site.gate.log_text(), 5)
    assert survived == {}
    assert scene.client.query("SELECT 1")[-1][0] == "Z"


def packed(*fields):
    """As model/pack.h: int with its width, bytes with their length; `raw` as they are."""
    out = b""
    for f in fields:
        if isinstance(f, tuple):
            out += f[0].to_bytes(f[1], "big")
        elif isinstance(f, bytearray):
            out += f
        else:
            out += struct.pack("!I", len(f)) + f
    return out


def raw(value):
    return bytearray(value)


def answer(scene, words):
    said = obey(scene.site, words, 1)
    return bytes.fromhex(re.search(r"answer fd=-?\d+ ([0-9a-f]*)", said).group(1))


def test_questions_about_anothers_session(scene):
    """Answered with nothing."""
    victim, first = raw(scene.id), b"n=,r=abcdefghijklmnopqrstuvwx"
    salted = b"r=abcdefghijklmnopqrstuvwxYY,s=" + base64.b64encode(b"0123456789abcdef") + b",i=4096"
    epoch = scene.site.gate.json("status")["policy"]["epoch"]
    proof = packed(victim, (epoch, 8), (0, 4), first, salted, b"n,,", b"")
    assert answer(scene, f"ask 25 {proof.hex()}")[0] == 0, "a proof for the target, in another's session"
    md5 = packed(victim, (epoch, 8), (0, 4), b"salt")
    assert answer(scene, f"ask 38 {md5.hex()}") == b"\0\0\0\0"
    pseudonym = answer(scene, f"ask 26 {packed(victim, b'ehr').hex()}")
    assert pseudonym == bytes(len(pseudonym)), "another's resource's keys"
    prove = packed(victim, b"c=biws,r=x", raw(bytes(32)), b"n,,", (0, 1), (epoch, 8), b"", b"")
    assert answer(scene, f"ask 23 {prove.hex()}")[0] == 0
    for kind, body in ((24, packed(victim, b"bye", (1, 8))), (37, packed(victim, b"6.6.6.6:1")), (33, packed(victim, (1 << 50, 8)))):
        obey(scene.site, f"tell {kind} {body.hex()}", 1)
    time.sleep(0.3)
    shown = scene.site.gate.json("session", "show", scene.name)
    assert shown["state"] == "live" and "6.6.6.6" not in shown["server"]
    assert len(wire.rows(scene.client.query("SELECT last_name FROM patient WHERE id = 7"))) == 1


def test_signatures(scene):
    """Digests of handshakes only, and so many."""
    epoch = scene.site.gate.json("status")["policy"]["epoch"]

    def signature(scheme, data):
        return answer(scene, f"ask 36 {packed((epoch, 8), (scheme, 1), data).hex()}")

    assert len(signature(1, bytes(32))) > 60  # what it is there for
    for scheme, size in ((1, 33), (1, 0), (1, 256), (2, 32), (3, 256), (0, 32), (9, 32)):
        assert signature(scheme, b"\x11" * size) == b"\0\0\0\0", (scheme, size)
    assert signature(1, b"an audit checkpoint, please sign") != b""  # 32 bytes are a digest like any other: TLS's key only
    body = packed((epoch, 8), (1, 1), bytes(32)).hex()
    given = int(obey(scene.site, f"flood 2500 36 {body}", 1, 30).split("=")[1])
    assert 900 < given < 2400, given
    assert "asks for too many signatures" in scene.site.gate.log_text()


def broken_rules(scene):
    """What no worker says: its channel is cut and it is ended."""
    other = raw(scene.victim_writer)
    yield from {
        "a segment for another writer": ("ask", 20, packed(other)),
        "another's segment is finished": ("tell", 21, packed(other, (1, 8), (100, 8), (1, 8), raw(bytes(32)))),
        "a segment that is not its own is finished": ("tell", 21, None),
        "another's session lives here": ("tell", 31, packed(raw(scene.id), other)),
        "approve": ("tell", 40, packed((1, 8), b"approve", b"", packed(b"id", b"r-0000000000"))),
        "commit": ("ask", 13, packed((99, 8))), "a new peer": ("tell", 1, packed((2, 1), (9, 4), (9, 4), raw(bytes(16)), (0, 1))),
        "start": ("tell", 9, b""), "metrics": ("ask", 43, b""), "no such message": ("tell", 999, b""),
        "a question that is none": ("ask", 21, bytes(64)), "an order to another worker": ("tell", 30, packed(raw(scene.id), (3303, 4), b"x")),
    }.items()
    for kind in (20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 33, 36, 37, 38, 44, 45):
        question = kind in (20, 22, 23, 25, 26, 27, 36, 38)
        yield f"{kind} with a body of nothing", ("ask" if question else "tell", kind, b"")
        yield f"{kind} with a length that lies", ("ask" if question else "tell", kind, b"\xff" * 40)


def test_whoever_breaks_the_rules_is_ended(scene):
    lived = []
    for name, (how, kind, body) in broken_rules(scene):
        ready(scene)
        about = who(scene.site, 1)
        if body is None:
            body = packed(raw(bytes.fromhex(about["writer"])), (1, 8), (100, 8), (1, 8), raw(bytes(32)))
        with contextlib.suppress(Gone):
            obey(scene.site, f"{how} {kind} {body.hex()}", 1, 3)
        ended = f"(pid {about['pid']}) by signal 9"
        try:
            stack.wait_for(lambda: ended in scene.site.gate.log_text(), 3)
        except TimeoutError:
            lived.append(name)
    assert lived == []
    assert len(wire.rows(scene.client.query("SELECT last_name FROM patient WHERE id = 7"))) == 1


def test_the_supervisor_dials_only_what_is_configured(scene):
    epoch = scene.site.gate.json("status")["policy"]["epoch"]
    for body in (packed((epoch, 8), (99, 4), b"", b""), packed((epoch + 7, 8), (0, 4), b"", b""),
                 packed((epoch, 8), (0, 4), b"127.0.0.1:22", b"")):
        said = obey(scene.site, f"supervise 5 {body.hex()}", 1, 15)
        assert said.startswith("answer fd=-1 00"), said
    for kind in (7, 15, 16, 40):
        ready(scene)
        about = who(scene.site, 1)
        with pytest.raises(Gone):
            obey(scene.site, f"supervise {kind} 00", 1, 5)
        stack.wait_for(lambda: f"(pid {about['pid']}) by signal 9" in scene.site.gate.log_text(), 5)


def write_into_segment(scene, junk):
    """And that worker is over."""
    ready(scene)
    about = who(scene.site, 1)
    said = obey(scene.site, f"call 1 {about['segment_fd']} {text(junk)} {len(junk)}", 1)
    assert said == f"result={len(junk)} errno=0"
    os.kill(int(about["pid"]), 9)
    stack.wait_for(lambda: f"(pid {about['pid']}) by signal 9" in scene.site.gate.log_text(), 5)
    ready(scene)


def test_garbage_in_its_segment(scene):
    """Cut off behind what is whole, as a torn tail is."""
    write_into_segment(scene, b"\xa5" * 3000)
    assert len(wire.rows(scene.client.query("SELECT last_name FROM patient WHERE id = 7"))) == 1


def test_in_the_end_the_record_verifies(scene):
    rows = wire.rows(scene.client.query("SELECT last_name FROM patient WHERE id = 8"))
    scene.client.close()
    stack.wait_for(lambda: scene.site.gate.json("session", "show", scene.name)["state"] == "ended", 10)
    scene.site.gate.cli("audit", "checkpoint")
    played = scene.site.gate.cli("session", "play", scene.name, token=scene.site.tokens["pat"]).stdout
    assert rows[0][0].decode() in played and "the victim's" in played
    assert scene.site.gate.stop() == 0
    done = scene.site.gate.cli("audit", "verify", check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_frames_of_another_worker_are_told(scene):
    """They are nobody's record: the segment is left as it is, unsealed, and the verifier names it and no other."""
    gate = scene.site.gate.start()
    journal = [p for p in (gate.folder / "state/journal").glob("*") if p.is_file()]
    victims = max(journal, key=lambda p: p.read_bytes().count(scene.victim_writer))
    write_into_segment(scene, victims.read_bytes().rstrip(b"\0")[96:3096])
    stack.wait_for(lambda: "is damaged; it is left as it is, unsealed" in gate.log_text(), 10)
    damaged = re.findall(r"segment (\d+) is damaged", gate.log_text())
    assert len(damaged) == 1
    assert gate.stop() == 0
    done = gate.cli("audit", "verify", check=False)
    altered = re.findall(r"altered: \S+ segment=(\d+)", done.stdout + done.stderr)
    assert done.returncode == 9 and altered and set(altered) == set(damaged), done.stdout + done.stderr
