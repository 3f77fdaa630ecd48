"""SIGUSR2: the binary on disk takes over; nobody who connects is turned away."""
import os
import shutil
import signal
import socket
import threading
import time

import conftest
import pytest
import stack
import wire

SELECT = "SELECT id, city FROM patient WHERE id = 5"


@pytest.fixture(scope="module")
def own_site():
    """A gateway that runs from a binary of its own."""
    with stack.temporary_folder() as folder:
        made = conftest.Site(folder)
        made.gate.stop()
        binary = folder / "chaperone"
        shutil.copy(made.gate.binary, binary)
        made.gate.binary = binary
        made.gate.start()
        try:
            yield made
        finally:
            made.close()


def running(site):
    """Which file the supervisor runs from."""
    return os.stat(f"/proc/{site.gate.process.pid}/exe").st_ino


def install(site, source=None):
    fresh = site.gate.binary.with_suffix(".new")
    shutil.copy(source or site.gate.binary, fresh)
    fresh.rename(site.gate.binary)
    return os.stat(site.gate.binary).st_ino


def upgrade(site):
    fresh = install(site)
    os.kill(site.gate.process.pid, signal.SIGUSR2)
    stack.wait_for(lambda: running(site) == fresh)
    stack.wait_for(site.gate.is_ready)


class Coming(threading.Thread):
    """Connects again and again. An end in the middle, with its reason, is what any stop does; a connection that is
    refused or broken off without a word is not."""

    def __init__(self, site):
        super().__init__(daemon=True)
        self.site, self.stop, self.served, self.ended, self.failed, self.longest = site, False, 0, 0, [], 0.0

    def run(self):
        while not self.stop and not self.failed:
            started = time.monotonic()
            try:
                client = self.site.wire()
                assert wire.rows(client.query(SELECT)) or wire.errors(client.query(SELECT))
                client.close()
                self.served += 1
            except PermissionError as e:
                if "57P01" in str(e):
                    self.ended += 1
                else:
                    self.failed.append(repr(e))
            except (wire.ServerClosed, ConnectionResetError, BrokenPipeError, AssertionError):
                self.ended += 1
            except OSError as e:
                self.failed.append(repr(e))
            self.longest = max(self.longest, time.monotonic() - started)


def test_nobody_who_connects_is_refused(own_site):
    site = own_site
    pid = site.gate.process.pid
    coming = [Coming(site) for _ in range(3)]
    for c in coming:
        c.start()
    for _ in range(3):
        time.sleep(0.5)
        upgrade(site)
    time.sleep(0.5)
    for c in coming:
        c.stop = True
    for c in coming:
        c.join(20)
    assert [c.failed for c in coming] == [[], [], []]
    # Once for each upgrade, or once more by the other worker of the old binary.
    assert all(c.served > 4 and c.ended <= 2 * 3 for c in coming), [(c.served, c.ended) for c in coming]
    assert max(c.longest for c in coming) < 5
    assert site.gate.process.poll() is None and site.gate.process.pid == pid
    site.gate.cli("audit", "checkpoint")
    assert site.gate.cli("audit", "verify", check=False).returncode == 0


def test_who_comes_in_between_waits(own_site):
    """Between the old binary and the new one, when nobody accepts."""
    site = own_site
    for worker in site.gate.pids()["worker"]:
        os.kill(worker, signal.SIGSTOP)  # they end only when they are killed: 5 s
    fresh = install(site)
    os.kill(site.gate.process.pid, signal.SIGUSR2)
    time.sleep(1)
    assert running(site) != fresh
    with socket.create_connection(("127.0.0.1", site.gate.port), 1):
        pass
    client = site.wire()
    assert running(site) == fresh and wire.rows(client.query(SELECT))
    client.close()


def test_a_session_is_ended_as_by_any_stop(own_site):
    site = own_site
    client = site.wire()
    upgrade(site)
    assert wire.errors(client.until())[0]["C"] == "57P01"


@pytest.mark.parametrize("what", ["binary", "configuration"])
def test_what_cannot_take_over_does_not(own_site, what):
    site, seen = own_site, len(own_site.gate.log_text())
    before, config = running(own_site), site.gate.config.read_text()
    good = site.gate.binary.with_suffix(".good")
    shutil.copy(site.gate.binary, good)
    client = site.wire()
    if what == "binary":
        install(site, "/bin/false")
    else:
        install(site)
        site.gate.config.write_text(config.replace("guardrails:", "gaurdrails:"))
    os.kill(site.gate.process.pid, signal.SIGUSR2)
    stack.wait_for(lambda: "does not take the configuration; nothing changed" in site.gate.log_text()[seen:])
    assert running(site) == before and wire.rows(client.query(SELECT))
    site.gate.config.write_text(config)
    install(site, good)
    upgrade(site)


def test_it_still_stops(own_site):
    site = own_site
    install(site)
    os.kill(site.gate.process.pid, signal.SIGUSR2)
    time.sleep(0.02)
    assert site.gate.stop() in (0, -signal.SIGTERM)
    site.gate.start()
