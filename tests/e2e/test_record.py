"""What was seen can be played, by those who may; what was written can be proved; nothing secret is at rest."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest
import stack
import wire


def session_of(client):
    return client.parameters["chaperone.session"]


@pytest.fixture
def played(site):
    client = site.wire()
    client.query("SELECT id, last_name, city FROM patient WHERE id = 2")
    client.query("DELETE FROM encounter")
    name = session_of(client)
    client.close()
    stack.wait_for(lambda: any(s["id"] == name and s.get("ended_ns") for s in
                               site.gate.json("session", "ls", token=site.tokens["pat"])["items"]), 10)
    return name


def test_a_reviewer_plays_a_session(site, played):
    shown = site.gate.cli("session", "play", played, token=site.tokens["pat"]).stdout
    assert "SELECT id, last_name, city FROM patient WHERE id = 2" in shown
    assert "▒▒▒▒▒" in shown and site.people[1]["city"] in shown
    assert "no-unbounded-delete" in shown
    assert site.people[1]["last_name"] not in shown


def test_programs_get_a_long_session_page_by_page(site):
    """60 MB of it, and the command line holds a page."""
    client = site.wire(timeout=60)
    got = client.query("SELECT (SELECT string_agg(md5((n * 1000000 + i)::text), '') FROM generate_series(1, 15000) i)"
                       " FROM generate_series(1, 120) n")
    name, last = session_of(client), wire.rows(got)[-1][0]
    assert len(wire.rows(got)) == 120 and len(last) == 480000
    client.close()
    env = dict(os.environ, CHAPERONE_CONFIG=str(site.gate.config), CHAPERONE_TOKEN=site.tokens["pat"],
               ASAN_OPTIONS="detect_leaks=0")
    seen = peak_kib = 0
    with subprocess.Popen([str(site.gate.binary), "session", "play", name, "-o", "jsonl"], env=env,
                          stdout=subprocess.PIPE) as player:
        for line in player.stdout:
            seen += len(json.loads(line)["data"])
            with contextlib.suppress(OSError):  # it has ended
                found = re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{player.pid}/status").read_text())
                peak_kib = int(found[1]) if found else peak_kib
    assert player.returncode == 0 and seen > 30_000_000
    assert 0 < peak_kib < 20_000


def test_who_may_not_play(site, played):
    for who in ("erin", None):
        refused = site.gate.cli("session", "play", played, token=who and site.tokens[who], check=False)
        assert refused.returncode in (1, 3, 4) and not refused.stdout, (who, refused)


def test_verify_says_self_consistent(site, played):
    done = site.gate.cli("audit", "verify", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "self-consistent only" in done.stdout + done.stderr
    assert site.gate.cli("audit", "verify", "--require-anchor", check=False).returncode == 11


def copy_state(site, folder):
    state = pathlib.Path(shutil.copytree(site.gate.folder / "state", folder / "state"))
    return state, sorted((state / "journal").glob("*.seg"), key=lambda p: p.stat().st_size)[-1]


def test_a_changed_byte_is_noticed(site, played):
    with stack.temporary_folder() as folder:
        state, segment = copy_state(site, folder)
        raw = bytearray(segment.read_bytes())
        raw[len(raw) // 2] ^= 1
        segment.write_bytes(raw)
        done = site.gate.cli("audit", "verify", "--journal", str(state / "journal"), check=False)
        assert done.returncode == 9, done.stdout + done.stderr


def test_no_secret_and_no_canary_at_rest(site, played):
    needles = [n.encode() for n in site.secrets() + site.canaries()]
    for path in site.gate.folder.rglob("*"):
        if not path.is_file() or path.name == "ehr.password":
            continue
        raw = path.read_bytes()
        found = [n for n in needles if n in raw]
        assert not found, (path, found)


def test_no_core_and_no_secret_in_status(site):
    for args in (["status"], ["status", "--json"], ["config", "show"], ["user", "ls"], ["session", "ls"], ["doctor"]):
        done = site.gate.cli(*args, check=False)
        assert not any(s in done.stdout + done.stderr for s in site.secrets())


def test_callers_cannot_reach_around(site):
    """The target's credential is not the caller's: the database refuses them."""
    refused = stack.psql(f"postgresql://dana:{site.passwords['dana']}@127.0.0.1:{site.pg.port}/ehr", input="SELECT 1;")
    assert refused.returncode != 0 and "password authentication failed" in refused.stderr


def test_full_disk_refuses_and_runs_nothing(site, tmp_path):
    """A journal on a tiny file system: CHP-5201, and the target saw nothing."""
    import os
    import subprocess
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a small tmpfs")
    with stack.temporary_folder() as folder:
        gate_folder = folder / "gate"
        journal = gate_folder / "state" / "journal"
        gate = stack.Gateway(gate_folder, site.pg.port, workers=1)
        journal.mkdir(parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200m", "tmpfs", str(journal)], check=True)
        try:
            gate.start()
            passwords, _ = gate.add_people()
            client = wire.Client(gate.port, "dana", passwords["dana"])
            assert wire.rows(client.query("SELECT 1")) == [[b"1"]]
            with open(journal / "filler", "wb") as filler:
                try:
                    while True:
                        filler.write(b"x" * (1 << 16))
                        filler.flush()
                except OSError:
                    pass
            got = None
            try:
                for _ in range(3000):  # reserved blocks are used up first, by answers small enough to pass
                    got = client.query("SELECT md5(random()::text) FROM generate_series(1, 5000) g")
                    if wire.errors(got):
                        break
            except (wire.ServerClosed, ConnectionError):
                got = "closed"
            assert got == "closed" or wire.errors(got)[0]["C"] == "53100", got
        finally:
            gate.stop()
            subprocess.run(["umount", str(journal)], check=False)
