"""/metrics, /healthz and /readyz: numbers, no names; and nobody else notices who asks badly."""
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

import pytest
import stack
import wire
from conftest import Site


@pytest.fixture(scope="module")
def counted():
    port = stack.free_port()
    with stack.temporary_folder() as folder:
        made = Site(folder, metrics=f', metrics: "127.0.0.1:{port}"')
        made.metrics_port = port
        try:
            yield made
        finally:
            made.close()


def get(site, path="/metrics", **kwargs):
    ask = urllib.request.Request(f"http://127.0.0.1:{site.metrics_port}{path}", **kwargs)
    try:
        with urllib.request.urlopen(ask, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()


def values(site):
    """{'name{labels}': number}, each line checked against the format."""
    status, page = get(site)
    assert status == 200
    found, typed = {}, set()
    for line in page.splitlines():
        if line.startswith("#"):
            typed.update(re.findall(r"^# TYPE (\w+) (?:counter|gauge|histogram)$", line))
            continue
        name, labels, value = re.fullmatch(r"(chaperone_\w+)(\{\w+=\"[^\"]*\"(?:,\w+=\"[^\"]*\")*\})? ([0-9.]+)", line).groups()
        assert name in typed or re.sub("_(bucket|sum|count)$", "", name) in typed, line
        assert name + (labels or "") not in found, line
        found[name + (labels or "")] = float(value)
    return found


def statements(decision):
    return f'chaperone_statements_total{{resource="ehr",decision="{decision}"}}'


def eventually(check, seconds=8):
    return stack.wait_for(check, seconds, every=0.3)


def test_what_happened_is_counted(counted):
    before = values(counted)
    client = counted.wire()
    try:
        eventually(lambda: values(counted)['chaperone_sessions_active{protocol="postgres"}'] >= 1)
        for _ in range(3):
            client.query("SELECT last_name FROM patient WHERE id < 11")
        client.query("DELETE FROM encounter")
    finally:
        client.close()

    def grown():
        now = values(counted)
        return now if now[statements("deny")] > before[statements("deny")] else None

    now = eventually(grown)
    assert now[statements("allow")] - before[statements("allow")] >= 3
    masked = 'chaperone_masked_values_total{resource="ehr"}'
    assert now[masked] - before[masked] == 30
    recorded = 'chaperone_recorded_bytes_total{resource="ehr"}'
    assert now[recorded] > before[recorded]
    assert now["chaperone_journal_sync_seconds_count"] > before["chaperone_journal_sync_seconds_count"]
    assert now["chaperone_recording"] == 1 and 0 < now["chaperone_journal_volume_used_ratio"] <= 1
    assert now['chaperone_process_ready{process="worker",slot="1"}'] == 1
    # Nobody's name, nothing of what was asked or seen.
    page = get(counted)[1]
    for word in ("dana", "patient", "last_name", "clinic", *counted.canaries()[:50], *counted.secrets()):
        assert word not in page


def test_approvals_that_wait_are_counted(counted):
    client = counted.wire()
    try:
        client.send(wire.query("UPDATE patient SET city = city WHERE id = 1"))
        eventually(lambda: values(counted)["chaperone_approvals_pending"] >= 1)
    finally:
        client.close()
    eventually(lambda: values(counted)["chaperone_approvals_pending"] == 0)


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
def test_promtool_finds_nothing(counted):
    checked = subprocess.run(["promtool", "check", "metrics"], input=get(counted)[1], text=True, capture_output=True)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_probes_and_other_paths(counted):
    assert get(counted, "/healthz") == (200, "ok\n")
    assert get(counted, "/readyz") == (200, "ready\n")
    assert get(counted, "/")[0] == 404
    assert get(counted, method="POST", data=b"x")[0] == 405
    assert get(counted, method="HEAD") == (200, "")


def test_ready_follows_the_processes(counted):
    keeper = next(p for p in counted.gate.json("status")["processes"] if p["name"] == "keeper")
    os.kill(keeper["pid"], signal.SIGSTOP)
    try:
        time.sleep(1.1)  # numbers are given again for a second
        started = time.monotonic()
        assert get(counted, "/readyz")[0] == 503
        assert time.monotonic() - started < 4
        assert get(counted, "/healthz")[0] == 200
    finally:
        os.kill(keeper["pid"], signal.SIGCONT)
    eventually(lambda: get(counted, "/readyz")[0] == 200)
    os.kill(keeper["pid"], signal.SIGKILL)
    eventually(lambda: values(counted).get('chaperone_process_restarts_total{process="keeper",slot="0"}') == 1)


# --- hostile ----------------------------------------------------------------------------------

def dial(site):
    s = socket.create_connection(("127.0.0.1", site.metrics_port), 5)
    s.settimeout(10)
    return s


def answer_of(s):
    seen = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := s.recv(65536):
            seen += chunk
    return seen


def test_garbage_is_told_or_dropped(counted):
    for said, expected in ((b"\x16\x03\x01\x02\x00\x01\x00\n\n", b"400"), (b"GET /metrics HTTP/9.9\r\n\r\n", b"400 505"),
                           (b"\0" * 100 + b"\r\n\r\n", b"400"), (b"GET " + b"/" * 4000 + b" HTTP/1.1\r\n\r\n", b"404")):
        with dial(counted) as s:
            s.sendall(said)
            assert answer_of(s).split(b" ")[1] in expected.split()
    with dial(counted) as s:  # more head than anybody reads
        with contextlib.suppress(OSError):
            s.sendall(b"GET / HTTP/1.1\r\n" + b"X: " + b"a" * (1 << 20))
        assert answer_of(s)[:12] in (b"HTTP/1.1 431", b"")
    assert get(counted, "/healthz")[0] == 200


def test_a_thousand_connections_hurt_nobody(counted):
    descriptors = len(os.listdir(f"/proc/{console(counted)}/fd"))
    crowd = []
    try:
        for i in range(1000):
            s = dial(counted)
            if i % 2:
                s.sendall(b"GET /metrics HTTP/1.1\r\nX: ")  # and never the rest
            crowd.append(s)
        # They hold every place that there is, and still: a scrape, an administrator, a session.
        assert get(counted)[0] == 200
        assert counted.gate.cli("status").returncode == 0
        done = counted.psql("SELECT count(*) FROM encounter")
        assert done.returncode == 0, done.stdout
        assert len(os.listdir(f"/proc/{console(counted)}/fd")) <= descriptors + 40
    finally:
        for s in crowd:
            s.close()
    assert get(counted)[0] == 200


def console(site):
    return next(p for p in site.gate.json("status")["processes"] if p["name"] == "console")["pid"]


def test_slow_ones_are_put_out(counted):
    with dial(counted) as s:
        s.sendall(b"GET /met")
        started = time.monotonic()
        assert answer_of(s) == b""
        assert 4 < time.monotonic() - started < 8


def test_scrapes_within_a_second_ask_the_keeper_once(counted):
    keeper = next(p for p in counted.gate.json("status")["processes"] if p["name"] == "keeper")
    time.sleep(1.1)
    assert get(counted)[0] == 200
    os.kill(keeper["pid"], signal.SIGSTOP)
    try:
        started = time.monotonic()
        while time.monotonic() - started < 0.5:
            assert get(counted)[0] == 200
    finally:
        os.kill(keeper["pid"], signal.SIGCONT)


def test_other_addresses_are_refused(tmp_path):
    for address, words in (("0.0.0.0:9464", "loopback"), ("10.0.0.1:9464", "loopback"), ("127.0.0.1:6432", "one of")):
        file = tmp_path / "chaperone.yaml"
        file.write_text(f'version: 1\ngateway: {{listen: {{metrics: "{address}"}}}}\n')
        said = subprocess.run([stack.ROOT / os.environ.get("CHAPERONE_BUILD", "build") / "chaperone", "config", "validate", file], capture_output=True, text=True)
        assert said.returncode == 2 and words in said.stderr, said.stderr
