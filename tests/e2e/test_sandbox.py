"""What our processes can still do once they serve, seen from outside."""
import contextlib
import json
import os
import pathlib
import re
import signal
import stat
import subprocess
import time

import conftest
import pytest
import stack

BUILD = stack.ROOT / os.environ.get("CHAPERONE_BUILD", "build")
ROLES = ("keeper", "worker", "console")
NEVER = {"socket", "socketpair", "connect", "bind", "listen", "execve", "execveat", "ptrace", "fork", "vfork"}
NEVER_WORKER = {"open", "openat", "openat2", "creat", "unlink", "unlinkat", "ftruncate", "fallocate", "pwrite64",
                "pwritev", "pwritev2", "copy_file_range", "sendfile", "splice"}
SANITIZED = "asan" in BUILD.name or "clang" in BUILD.name
UID = {"keeper": 61841, "worker": 61842, "console": 61843}


def table():
    lines = subprocess.run([BUILD / "tests/tools/sandbox_table"], check=True, text=True, stdout=subprocess.PIPE).stdout
    return {words[0]: set(words[1:]) for words in map(str.split, lines.splitlines())}


def calls_after_seccomp(trace):
    """{role: {call: first line}}: of each process, and its threads, after its filter was loaded."""
    role, shut, calls, leader = {}, set(), {r: {} for r in ROLES}, {}
    for line in trace.splitlines():
        m = re.match(r"(\d+) +(?:<\.\.\. )?(\w+)(?:\(| resumed)(.*)", line)
        if not m:
            continue
        pid, call, rest = m.groups()
        leader.setdefault(pid, pid)
        if call == "execveat" and (child := re.search(r'"--child", "(\w+)"', rest)):
            role[pid] = child.group(1)
        if call in ("clone", "clone3") and (made := re.search(r"= (\d+)$", rest)) and pid in role:
            leader[made.group(1)] = leader[pid]
        at = leader[pid]
        if at in shut and at in role and " resumed" not in line:
            calls[role[at]].setdefault(call, line)
        if call == "seccomp" and "{len=" in line:  # the probes of libseccomp come with NULL
            shut.add(at)
    return calls


@pytest.fixture(scope="module")
def shut_site():
    """A gateway with `sandbox: required`."""
    with stack.temporary_folder() as folder:
        made = conftest.Site(folder, sandbox="required", hold="20s")
        try:
            yield made
        finally:
            made.close()


def work(site):
    """Something of everything: sign-ins, masks, a hold, tokens, an export of the record, a wrong password."""
    person = site.wire()
    person.query("SELECT mrn, last_name, city FROM patient WHERE id < 100")
    person.close()
    held = subprocess.Popen(["psql", "-X", site.url(), "-c", "UPDATE patient SET phone = '(512) 555-0199' WHERE id = 5"],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    requests = stack.wait_for(lambda: site.gate.json("approvals", token=site.tokens["pat"])["items"], 15, 0.2)
    site.gate.cli("approve", requests[0]["id"], token=site.tokens["pat"], check=False)
    try:
        held.wait(10)
    except subprocess.TimeoutExpired:
        held.kill()
    site.psql("SELECT count(*) FROM encounter;\nDELETE FROM encounter;\nSELECT nonsense(;\n")
    with pytest.raises(PermissionError):
        stack_wire(site, "dana", "wrong")
    site.gate.cli("audit", "checkpoint", check=False)
    sessions = site.gate.json("session", "ls", token=site.tokens["pat"])["items"]
    site.gate.cli("session", "play", sessions[0]["id"], token=site.tokens["pat"], check=False)


def stack_wire(site, user, password):
    return conftest.wire.Client(site.gate.port, user, password)


@pytest.mark.skipif(SANITIZED, reason="a sanitizer's own calls are many")
@pytest.mark.parametrize("tls", [False, True])
def test_no_call_outside_the_table(tls):
    allowed = table()
    with stack.temporary_folder() as folder:
        trace = folder / "trace"
        more = {}
        if tls:  # on both legs; RSA, whose keys have lazy parts
            ca = stack.Certificates(folder / "certificates")
            certificate, key = ca.make("gate", "rsa:2048")
            more = {"pg_tls": ca.make("server", "rsa:2048"), "target_tls": f'mode: verify-full, ca: "file:{ca.ca}"',
                    "gateway_tls": f'  tls: {{cert: "file:{certificate}", key: "file:{key}"}}\n'}
        site = conftest.Site(folder, sandbox="required", prefix=["strace", "-f", "-D", "-qq", "-o", str(trace)], **more)
        try:
            work(site)
            for version in ("TLSv1.2", "TLSv1.3") if tls else ():
                url = site.url(sslmode="require", ssl_min_protocol_version=version, ssl_max_protocol_version=version)
                assert stack.psql(url, "-c", "SELECT 1").returncode == 0
            time.sleep(1.2)  # a tick of everybody
        finally:
            code = site.close()
        time.sleep(0.3)
        text, log = trace.read_text(errors="replace"), site.gate.log_text()
    assert code == 0 and "SIGSYS" not in text, log
    seen = calls_after_seccomp(text)
    for role in ROLES:
        assert len(seen[role]) > 5, f"nothing was seen of {role}"
        outside = {c: line for c, line in seen[role].items() if c not in allowed[role] | {"seccomp", "prctl"}}
        assert not outside, (role, outside)
    assert "prctl" not in allowed["worker"]


def test_the_table_has_no_way_out():
    for role, calls in table().items():
        assert not calls & NEVER, role
    if not SANITIZED:
        assert not table()["worker"] & NEVER_WORKER
        assert not table()["console"] & NEVER_WORKER


@pytest.mark.core
def test_status_says_what_is_active(shut_site):
    for process in shut_site.gate.json("status")["processes"]:
        assert process["ready"] and process["seccomp"] and process["landlock_abi"] > 0, process
        assert process["sandbox"] == "Landlock, seccomp"
    for role in ROLES:
        for pid in shut_site.gate.pids()[role]:
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
            assert "Seccomp:\t2" in status and "NoNewPrivs:\t1" in status, role
            for thread in pathlib.Path(f"/proc/{pid}/task").iterdir():  # TSYNC: every thread
                assert "Seccomp:\t2" in (thread / "status").read_text(), (role, thread)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives each process an account of its own")
def test_accounts_and_files(shut_site):
    gate = shut_site.gate
    for role in ROLES:
        for pid in gate.pids()[role]:
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
            assert re.search(rf"Uid:\t{UID[role]}\t{UID[role]}\t{UID[role]}\t{UID[role]}", status), (role, status)
            assert re.search(rf"Gid:\t{UID[role]}\t", status) and re.search(r"Groups:\t *\n", status), (role, status)
            assert re.search(r"CapEff:\t0+\n", status), role
    state = gate.folder / "state"
    for path in [state, *state.rglob("*")]:
        about = path.stat()
        mode = stat.S_IMODE(about.st_mode)
        assert about.st_uid == UID["keeper"] and about.st_gid == UID["keeper"], path
        assert mode & 0o077 == 0, (path, oct(mode))
        assert not path.is_dir() or mode == 0o700, (path, oct(mode))
    socket = (gate.folder / "admin.sock").stat()
    assert stat.S_ISSOCK(socket.st_mode) and socket.st_uid == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a worker")
@pytest.mark.parametrize("role", ["worker", "console"])
def test_other_accounts_cannot_read_the_state(shut_site, role):
    state = shut_site.gate.folder / "state"
    targets = [state, state / "state.db", state / "root.key", state / "journal"]
    for target in targets:
        done = subprocess.run(["setpriv", f"--reuid={UID[role]}", f"--regid={UID[role]}", "--clear-groups",
                               "ls" if target.is_dir() else "cat", str(target)], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
        assert done.returncode != 0 and "ermission denied" in done.stderr, (target, done)


def test_a_child_that_dies_is_told_and_comes_back(shut_site):
    """Lines of children come through the supervisor, whole, each of one process."""
    worker = shut_site.gate.pids()["worker"][0]
    os.kill(worker, signal.SIGKILL)
    stack.wait_for(lambda: f"(pid {worker}) by signal 9" in shut_site.gate.log_text())
    stack.wait_for(lambda: all(p["ready"] for p in shut_site.gate.json("status")["processes"]))
    for line in shut_site.gate.log_text().splitlines():
        assert {"time_ns", "level", "process", "pid", "event", "text"} <= set(json.loads(line)), line


def test_nobody_reads_the_log():
    """A full pipe at the supervisor's standard error stops nobody."""
    with stack.temporary_folder() as folder:
        ours, theirs = os.pipe()
        filler = os.fdopen(os.dup(theirs), "wb", buffering=0)
        os.set_blocking(filler.fileno(), False)
        gate = stack.Gateway(folder / "gate", stack.free_port())
        try:
            while True:
                if filler.write(b"x" * 4096) is None:
                    break
        except BlockingIOError:
            pass
        os.set_blocking(theirs, True)
        gate.log = open(folder / "unused", "wb")
        gate.process = subprocess.Popen([str(gate.binary), "serve", "-c", str(gate.config)], stderr=theirs,
                                        stdin=subprocess.DEVNULL, start_new_session=True)
        try:
            stack.wait_for(lambda: gate.cli("status", "--json", check=False).returncode == 0)
            for _ in range(3):
                os.kill(stack.wait_for(lambda: gate.pids()["worker"])[0], signal.SIGKILL)
                time.sleep(0.2)
            assert gate.cli("status").returncode == 0
            os.set_blocking(ours, False)
            with contextlib.suppress(BlockingIOError):  # everything that fills the pipe
                while os.read(ours, 65536):
                    pass
            os.kill(stack.wait_for(lambda: gate.pids()["worker"])[0], signal.SIGKILL)
            said = b""
            end = time.monotonic() + 5
            while b"log.dropped" not in said and time.monotonic() < end:
                try:
                    said += os.read(ours, 65536)
                except BlockingIOError:
                    time.sleep(0.05)
            assert b'"log.dropped"' in said and re.search(rb'"text":"\d+ lines"', said)
        finally:
            gate.stop()
            filler.close()
            os.close(ours)
            os.close(theirs)


@pytest.mark.core
@pytest.mark.skipif(not SANITIZED, reason="only a sanitizer reports")
@pytest.mark.parametrize("role", ROLES)
def test_a_sanitizer_can_report(shut_site, role):
    """In the sandbox too, and the report comes out of the pipe whole."""
    child = shut_site.gate.pids()[role][0]
    os.kill(child, signal.SIGSEGV)
    stack.wait_for(lambda: f"(pid {child}) by signal" in shut_site.gate.log_text())
    log = shut_site.gate.log_text()
    assert f"=={child}==ERROR: AddressSanitizer: SEGV" in log and f"=={child}==ABORTING" in log, log
    stack.wait_for(lambda: shut_site.gate.cli("status", check=False).returncode == 0)


NO_LANDLOCK = ["strace", "-f", "-D", "-qq", "-o", "/dev/null", "-e", "trace=landlock_create_ruleset",
               "-e", "inject=landlock_create_ruleset:error=ENOSYS"]
NO_SECCOMP = ["strace", "-f", "-D", "-qq", "-o", "/dev/null", "-e", "trace=seccomp", "-e", "inject=seccomp:error=EINVAL"]


@pytest.mark.parametrize("prefix, missing", [(NO_LANDLOCK, "NO Landlock"), (NO_SECCOMP, "NO seccomp")])
def test_a_kernel_that_has_less(prefix, missing):
    """`auto` starts and says it; `required` does not start."""
    with stack.temporary_folder() as folder:
        gate = stack.Gateway(folder / "auto", stack.free_port(), prefix=prefix, sandbox="auto").start()
        try:
            assert [p["sandbox"] for p in gate.json("status")["processes"]] == [missing] * 4
            assert gate.json("status")["sandbox_wanted"] == "auto"
        finally:
            gate.stop()
        gate = stack.Gateway(folder / "required", stack.free_port(), prefix=prefix, sandbox="required")
        gate.start(wait=False)
        try:
            assert gate.process.wait(10) == 1
            assert "cannot be entered" in gate.log_text() and "does not start" in gate.log_text()
        finally:
            gate.stop()
