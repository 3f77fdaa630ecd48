"""A backup made while the gateway runs, and what a restore makes of it."""
import os
import pathlib
import re
import shutil
import subprocess
import threading
import time

import pytest
import stack
from conftest import Site

BINARY = stack.ROOT / os.environ.get("CHAPERONE_BUILD", "build") / "chaperone"


def recovery_key():
    made = subprocess.run([BINARY, "recovery-key", "new"], capture_output=True, text=True, check=True)
    public = re.search(r'"(x25519:[0-9a-f]{64})"', made.stderr).group(1)
    return made.stdout.strip(), public


class Elsewhere:
    """Another host: the same configuration, other folders."""

    def __init__(self, site, folder):
        self.folder = folder
        folder.mkdir()
        os.chmod(folder, 0o755)
        self.site = site
        self.port = stack.free_port()
        self.config = folder / "chaperone.yaml"
        text = site.gate.config.read_text().replace(str(site.gate.folder), str(folder))
        self.config.write_text(text.replace(f":{site.gate.port}", f":{self.port}"))
        shutil.copy(site.gate.folder / "ehr.password", folder)

    def restore(self, backup, key, *options):
        return subprocess.run([BINARY, "restore", backup, "-c", self.config, *options], input=key + "\n", text=True,
                              capture_output=True)

    def left(self):
        """All files but those it began with."""
        return sorted(p.name for p in self.folder.rglob("*") if p.is_file() and p.name not in ("chaperone.yaml", "ehr.password"))

    def gateway(self):
        gate = stack.Gateway.__new__(stack.Gateway)
        gate.__dict__.update(self.site.gate.__dict__, folder=self.folder, config=self.config, port=self.port, process=None)
        return gate

    def verify(self, *options):
        return subprocess.run([BINARY, "audit", "verify", "-c", self.config, *map(str, options)], capture_output=True, text=True)


@pytest.fixture(scope="module")
def backed():
    """A gateway with some history, and a backup made while a session is open."""
    key, public = recovery_key()
    with stack.temporary_folder() as folder:
        site = Site(folder)
        try:
            site.gate.stop()
            text = site.gate.config.read_text()
            site.gate.config.write_text(text.replace("root_key: auto", f'root_key: auto, recovery_key: "{public}"'))
            site.gate.start()
            assert site.psql("SELECT last_name FROM patient LIMIT 3").returncode == 0
            played = site.gate.json("session", "ls")["items"][0]["id"]
            client = site.wire()
            client.query("SELECT count(*) FROM patient")
            site.open = next(s["id"] for s in site.gate.json("session", "ls")["items"] if s["state"] == "live")
            site.backup = folder / "backup"
            done = site.gate.cli("backup", str(site.backup))
            assert re.match(r"\d+ records in \d+ segments", done.stdout)
            site.key, site.played = key, played
            # The gateway goes on, and signs more than the backup knows of.
            client.query("SELECT count(*) FROM encounter")
            client.close()
            site.gate.json("audit", "checkpoint")
            site.later = folder / "later"
            shutil.copy(site.gate.folder / "state/journal/checkpoint", site.later)
            yield site
        finally:
            site.close()


def test_nothing_of_it_is_legible(backed):
    data = backed.backup.read_bytes()
    for word in [b"dana", b"SQLite", b"chaperone/", b"state.db", *map(str.encode, backed.canaries()[:40])]:
        assert word not in data
    assert backed.backup.stat().st_mode & 0o077 == 0
    assert not backed.backup.with_name("backup.state").exists()


def test_restored_elsewhere_it_goes_on(backed, tmp_path):
    os.chmod(tmp_path, 0o755)
    with stack.temporary_folder() as folder:
        there = Elsewhere(backed, folder / "there")
        done = there.restore(backed.backup, backed.key)
        assert done.returncode == 0, done.stderr
        # As it came: intact and complete, for what is there.
        verdict = there.verify("--anchor", there.folder / "state/journal/checkpoint")
        assert verdict.returncode == 0, verdict.stdout + verdict.stderr
        gate = there.gateway().start()
        try:
            seen = stack.psql(gate.url("dana", backed.passwords["dana"]), input="SELECT last_name FROM patient LIMIT 1")
            assert seen.returncode == 0, seen.stdout
            played = gate.cli("session", "play", backed.played, token=backed.tokens["pat"])
            assert "SELECT last_name FROM patient LIMIT 3" in played.stdout
            assert [s["state"] for s in gate.json("session", "ls")["items"] if s["id"] == backed.open] == ["ended"]
            played = gate.cli("session", "play", backed.open, token=backed.tokens["pat"])
            assert "FROM patient" in played.stdout and "FROM encounter" not in played.stdout
            gate.json("audit", "checkpoint")
            tail = gate.cli("audit", "tail", "--lines", "10000").stdout
            assert "checkpoint.anchor" in tail
        finally:
            assert gate.stop() == 0
        # The session that was open then has an end; what went on elsewhere is missing, not tampered with.
        verdict = there.verify()
        assert verdict.returncode == 0, verdict.stdout + verdict.stderr
        verdict = there.verify("--anchor", backed.later)
        assert verdict.returncode == 11, verdict.stdout + verdict.stderr
        assert "intact" in verdict.stdout and "TAMPERED" not in verdict.stdout
        size = int(backed.later.read_text().splitlines()[1])
        lost = re.search(r"incomplete from record (\d+) to at least (\d+)", verdict.stdout)
        assert int(lost.group(2)) == size and int(lost.group(1)) < size
        # Whoever trusts only the old key believes the new one by the note that the old one signed.
        old_key = backed.gate.folder / "state/journal/public.key"
        assert old_key.read_text() != (there.folder / "state/journal/public.key").read_text()
        assert there.verify("--public-key", old_key).returncode == 0
        # A note that the old key did not sign makes nobody's key believed.
        note = there.folder / "state/journal/epoch-1"
        text = note.read_text()
        note.write_text(text.replace("epoch chaperone/", "epoch Chaperone/"))
        assert there.verify("--public-key", old_key).returncode == 9
        assert there.verify("--anchor", backed.later).returncode == 9
        note.write_text(text)
        # A backup of the restored one, and a third epoch.
        done = there.restore(backed.backup, backed.key)
        assert done.returncode == 1 and "nothing is overwritten" in done.stderr
        gate.process = None
        again = folder / "again"
        assert subprocess.run([BINARY, "backup", again, "-c", there.config], capture_output=True).returncode == 0
        third = Elsewhere(backed, folder / "third")
        assert third.restore(again, backed.key).returncode == 0
        assert third.verify().returncode == 0
        assert third.verify("--public-key", old_key).returncode == 0
        assert third.verify("--anchor", backed.later).returncode == 11
        assert third.verify("--anchor", there.folder / "state/journal/checkpoint").returncode == 0


def test_a_backup_under_load_is_whole(backed):
    """Sessions begin, write and end all the while: each backup, restored and started, lacks nothing of its moment."""
    stop = threading.Event()

    def work():
        while not stop.is_set():
            client = backed.wire()
            client.query("SELECT last_name FROM patient LIMIT 5")
            client.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    with stack.temporary_folder() as folder:
        for t in threads:
            t.start()
        try:
            for i in range(4):
                time.sleep(0.3)
                backed.gate.cli("backup", str(folder / f"backup-{i}"))
        finally:
            stop.set()
            for t in threads:
                t.join(20)
        sizes = []
        for i in range(4):
            there = Elsewhere(backed, folder / f"there-{i}")
            assert there.restore(folder / f"backup-{i}", backed.key).returncode == 0
            there.gateway().start().stop()
            verdict = there.verify()
            assert verdict.returncode == 0, verdict.stdout + verdict.stderr
            sizes.append(int(re.search(r"ledger +(\d+) leaves", verdict.stdout).group(1)))
        assert sizes == sorted(sizes) and sizes[0] < sizes[-1]


def test_numbers_of_starts_do_not_come_back(backed):
    """Nonces under a session's keys carry the start's number: the restored gateway must not repeat one."""
    with stack.temporary_folder() as folder:
        there = Elsewhere(backed, folder / "there")
        assert there.restore(backed.backup, backed.key).returncode == 0

        def generation(state):
            shown = subprocess.run(["/usr/bin/python3", "-c", "import sqlite3,sys; print(sqlite3.connect(sys.argv[1]).execute("
                                    "\"SELECT CAST(value AS TEXT) FROM meta WHERE name='generation'\").fetchone()[0])", state],
                                   capture_output=True, text=True, check=True)
            return int(shown.stdout)

        assert generation(there.folder / "state/state.db") >= generation(backed.gate.folder / "state/state.db") + (1 << 20)


def test_damage_is_one_clear_error_and_leaves_nothing(backed, tmp_path):
    data = backed.backup.read_bytes()
    damaged = tmp_path / "damaged"
    cases = [(data[:n], "damaged or cut short") for n in (0, 3, 100, 151, 152, 200, len(data) // 2, len(data) - 1)]
    cases += [(data + b"x", "damaged or cut short")]
    for at in (0, 5, 20, 50, 100, 151, 153, 155, 157, 300, 70000, len(data) // 2, len(data) - 17, len(data) - 1):
        flipped = bytearray(data)
        flipped[at] ^= 1
        cases.append((bytes(flipped), "another recovery key" if 8 <= at < 40 else "damaged or cut short"))
    chunk = 4 + 65536 + 16  # two whole chunks change places
    cases.append((data[:152] + data[152 + chunk:152 + 2 * chunk] + data[152:152 + chunk] + data[152 + 2 * chunk:], "damaged"))
    there = Elsewhere(backed, tmp_path / "there")
    for content, words in cases:
        damaged.write_bytes(content)
        done = there.restore(damaged, backed.key)
        assert (done.returncode, done.stdout) == (1, ""), (len(content), done.stderr)
        assert words in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr
        assert there.left() == [] and not (there.folder / "state").exists()


def test_wrong_keys(backed, tmp_path):
    there = Elsewhere(backed, tmp_path / "there")
    other = recovery_key()[0]
    done = there.restore(backed.backup, other)
    assert done.returncode == 1 and "another recovery key" in done.stderr
    typo = backed.key[:10] + ("0" if backed.key[10] != "0" else "1") + backed.key[11:]
    for text in ("", "rk1-", typo, backed.key[:-1], "x" * 400):
        done = there.restore(backed.backup, text)
        assert done.returncode == 2, (text, done.stderr)
    assert there.left() == []
    # As a person types it: other case, blanks for dashes; from a file.
    (tmp_path / "key").write_text(backed.key.lower().replace("-", " ").replace("rk1 ", "rk1-") + "\n")
    done = there.restore(backed.backup, "", "--key-file", tmp_path / "key")
    assert done.returncode == 0, done.stderr


def test_it_overwrites_nothing(backed, tmp_path):
    there = Elsewhere(backed, tmp_path / "there")
    journal = there.folder / "state/journal"
    journal.mkdir(parents=True)
    (journal / "log").write_text("ours")
    done = there.restore(backed.backup, backed.key)
    assert done.returncode == 1 and "nothing is overwritten" in done.stderr
    assert there.left() == ["log"] and (journal / "log").read_text() == "ours"
    again = backed.gate.cli("backup", str(backed.backup), check=False)
    assert again.returncode == 1 and "must not be there" in again.stderr


def test_without_a_recovery_key_there_is_no_backup(site, tmp_path):
    done = site.gate.cli("backup", str(tmp_path / "b"), check=False)
    assert done.returncode == 2 and "recovery-key new" in done.stderr
    assert list(tmp_path.iterdir()) == []
