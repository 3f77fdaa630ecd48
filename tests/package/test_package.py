"""The Debian package that ./dev package made: installed into a root of its own, and its programs run."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "demo")]

import stack  # noqa: E402

PACKAGES = sorted(ROOT.glob("build/package/chaperone_*.deb"))
UNIT = ROOT / "debian/chaperone.service"

pytestmark = pytest.mark.skipif(not PACKAGES or os.geteuid() != 0, reason="./dev package first, as root")


def run(*args, **kwargs):
    return subprocess.run([str(a) for a in args], text=True, capture_output=True, timeout=60, **kwargs)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """dpkg -i, scripts included, into a folder."""
    root = tmp_path_factory.mktemp("root")
    for folder in ("var/lib/dpkg/info", "var/lib/dpkg/updates", "etc"):
        (root / folder).mkdir(parents=True)
    (root / "var/lib/dpkg/status").touch()
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\n")
    done = run("dpkg", f"--root={root}", "--force-depends", "--force-script-chrootless", "--log=/dev/null", "-i", PACKAGES[-1])
    assert done.returncode == 0, done.stdout + done.stderr
    os.chmod(root, 0o755)
    return root


def chaperone(root, *args):
    return run(root / "usr/bin/chaperone", *args)


def test_files_are_where_they_belong(installed):
    for path in ("usr/bin/chaperone", "lib/systemd/system/chaperone.service", "usr/lib/sysusers.d/chaperone.conf",
                 "usr/lib/tmpfiles.d/chaperone.conf", "usr/share/man/man1/chaperone.1.gz",
                 "usr/share/man/man5/chaperone.yaml.5.gz", "usr/share/man/man5/chaperone-journal.5.gz",
                 "usr/share/bash-completion/completions/chaperone.bash", "usr/share/zsh/vendor-completions/_chaperone",
                 "usr/share/fish/vendor_completions.d/chaperone.fish"):
        assert (installed / path).is_file(), path
    assert (installed / "var/lib/dpkg/info/chaperone.conffiles").read_text() == "/etc/chaperone/chaperone.yaml\n"


def test_accounts_and_folder_are_made(installed):
    accounts = dict(re.findall(r"^(chaperone-\w+):x:(\d+):", (installed / "etc/passwd").read_text(), re.M))
    assert accounts == {"chaperone-keeper": "61841", "chaperone-worker": "61842", "chaperone-console": "61843"}
    assert (installed / "var/lib/chaperone").stat().st_mode & 0o7777 == 0o755


def test_installed_programs_run(installed):
    assert re.fullmatch(r"chaperone [0-9.]+\n", chaperone(installed, "version").stdout)
    config = installed / "etc/chaperone/chaperone.yaml"
    checked = chaperone(installed, "config", "validate", config)
    assert checked.returncode == 0 and "is valid" in checked.stderr, checked.stderr
    found = chaperone(installed, "doctor", "-c", config).stdout
    assert found.startswith("ok   configuration") and "Landlock" in found
    shown = run("man", "-l", "-Tutf8", installed / "usr/share/man/man1/chaperone.1.gz")
    assert shown.returncode == 0 and "chaperone serve" in shown.stdout
    script = (installed / "usr/share/bash-completion/completions/chaperone.bash").read_text()
    assert script == chaperone(installed, "completion", "bash").stdout


def test_an_edited_example_is_kept(installed):
    """An administrator's file survives an upgrade."""
    config = installed / "etc/chaperone/chaperone.yaml"
    before = config.read_text()
    config.write_text(before + "# ours\n")
    try:
        done = run("dpkg", f"--root={installed}", "--force-depends", "--force-script-chrootless", "--log=/dev/null", "--force-confold",
                   "-i", PACKAGES[-1])
        assert done.returncode == 0, done.stderr
        assert config.read_text() == before + "# ours\n"
    finally:
        config.write_text(before)


def test_the_commented_example_is_valid(installed, tmp_path):
    text = (installed / "etc/chaperone/chaperone.yaml").read_text()
    block = text[text.index("#\n# resources:"):]
    file = tmp_path / "whole.yaml"
    file.write_text(text[:text.index("#\n# resources:")] + re.sub(r"^# ?", "", block, flags=re.M))
    checked = chaperone(installed, "config", "validate", file)
    assert checked.returncode == 0, checked.stderr


# --- the unit ---------------------------------------------------------------------------------

def unit():
    return dict(re.findall(r"^(\w+)=(.*)$", UNIT.read_text(), re.M))


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_unit_is_understood_and_closed(installed, tmp_path):
    local = tmp_path / "chaperone.service"
    local.write_text(UNIT.read_text().replace("/usr/bin/chaperone", str(installed / "usr/bin/chaperone")))
    checked = run("systemd-analyze", "verify", "--man=no", local)
    assert checked.returncode == 0 and "chaperone.service" not in checked.stderr, checked.stderr
    rated = run("systemd-analyze", "security", "--offline=yes", "--no-pager", "--threshold=30", local)
    assert rated.returncode == 0, rated.stdout[-600:]


@pytest.fixture
def started(installed, tmp_path):
    """`serve` as the unit starts it: with its capabilities and nothing else, and a manager that listens."""
    wanted = unit()
    os.chmod(tmp_path, 0o755)
    for parent in list(tmp_path.parents)[:2]:
        os.chmod(parent, 0o755)
    text = (installed / "etc/chaperone/chaperone.yaml").read_text()
    text = text.replace("/run/chaperone", str(tmp_path / "run")).replace("/var/lib/chaperone", str(tmp_path / "lib"))
    text = text.replace("127.0.0.1:6432", f"127.0.0.1:{stack.free_port()}")
    (tmp_path / "run").mkdir()
    (tmp_path / "lib").mkdir()
    (tmp_path / "chaperone.yaml").write_text(text)
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(str(tmp_path / "notify"))
    manager.settimeout(15)
    keep = ",".join("+" + name[4:].lower() for name in wanted["CapabilityBoundingSet"].split())
    process = subprocess.Popen(
        ["setpriv", "--bounding-set", f"-all,{keep}", "--inh-caps=-all", installed / "usr/bin/chaperone", "serve",
         tmp_path / "chaperone.yaml"], stderr=open(tmp_path / "log", "wb"), stdin=subprocess.DEVNULL, start_new_session=True,
        env=dict(os.environ, NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="1000000"))
    try:
        yield process, manager, tmp_path
    finally:
        process.kill()
        process.wait()
        manager.close()


def told(manager):
    return manager.recv(4096).decode()


def allowed_calls():
    groups, now = {}, None
    for line in run("systemd-analyze", "syscall-filter", "--no-pager").stdout.splitlines():
        line = re.sub(r"\x1b\[[0-9;]*m", "", line)
        if line.startswith("@"):
            now = groups.setdefault(line.strip(), set())
        elif line.startswith("    ") and not line.strip().startswith("#") and now is not None:
            now.add(line.strip())

    def members(words):
        found = set()
        for word in words:
            found |= members(groups[word]) if word.startswith("@") else {word}
        return found

    allowed = set()
    for words in re.findall(r"^SystemCallFilter=(.*)$", UNIT.read_text(), re.M):
        if words.startswith("~"):
            allowed -= members(words[1:].split())
        else:
            allowed |= members(words.split())
    return allowed


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_no_call_is_outside_the_units_filter(installed, tmp_path):
    os.chmod(tmp_path, 0o755)
    with stack.temporary_folder() as folder:
        gate = stack.Gateway(folder / "gate", stack.free_port(), sandbox="auto",
                             prefix=("strace", "-f", "-D", "-qq", "-o", tmp_path / "trace"))
        gate.binary = installed / "usr/bin/chaperone"
        gate.start()
        gate.add_people()
        assert gate.stop() == 0
    calls = set(re.findall(r"^\d+ +(\w+)\(", (tmp_path / "trace").read_text(), re.M))
    assert {"execveat", "landlock_restrict_self", "seccomp", "accept4"} <= calls
    assert calls - allowed_calls() == set()
    families = set(re.findall(r"\bsocket\((AF_\w+)", (tmp_path / "trace").read_text()))
    assert families <= set(unit()["RestrictAddressFamilies"].split())


def test_it_runs_with_what_the_unit_leaves_it(started, installed):
    process, manager, folder = started
    said = [told(manager)]
    while said[-1] == "WATCHDOG=1":
        said.append(told(manager))
    assert said[-1] == "READY=1", (folder / "log").read_text()
    status = chaperone(installed, "status", "--json", "-c", folder / "chaperone.yaml")
    assert status.returncode == 0, status.stderr
    processes = json.loads(status.stdout)["processes"]
    assert len(processes) >= 3 and all(p["ready"] and p["seccomp"] and p["landlock_abi"] for p in processes)
    assert told(manager) == told(manager) == "WATCHDOG=1"
    # Children hear nothing of the manager's socket.
    for child in pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
        assert b"NOTIFY_SOCKET" not in pathlib.Path(f"/proc/{child}/environ").read_bytes()
        with contextlib.suppress(FileNotFoundError):
            assert re.search(r"^CapEff:\t0+$", pathlib.Path(f"/proc/{child}/status").read_text(), re.M)
    process.terminate()
    last = told(manager)
    while last == "WATCHDOG=1":
        last = told(manager)
    assert last == "STOPPING=1" and process.wait(4) == 0, (folder / "log").read_text()
