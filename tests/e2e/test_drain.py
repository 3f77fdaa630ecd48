"""No new sessions, and those that are here go on."""
import os
import signal
import subprocess
import threading
import time

import psycopg
import pytest
import stack
import wire

SELECT = "SELECT id, city FROM patient WHERE id = 5"


@pytest.fixture
def draining(site):
    yield site
    site.gate.cli("drain", "--end")
    site.wire().close()


def left(site):
    return stack.wait_for(lambda: site.gate.json("status")["sessions_live"] == 0)


def test_nobody_new_and_nobody_lost(draining):
    site = draining
    client = site.wire()
    state = site.gate.json("drain")
    assert state["draining"] and state["sessions_live"] >= 1
    for _ in range(6):
        with pytest.raises(PermissionError, match="57P03.*takes no new sessions"):
            site.wire()
    assert wire.rows(client.query(SELECT))
    assert all(p["draining"] for p in site.gate.json("status")["processes"] if p["name"] == "worker")
    # It may still be cancelled, over a connection of its own.
    threading.Timer(0.3, wire.cancel, (site.gate.port, client.key)).start()
    assert wire.errors(client.query("SELECT pg_sleep(20)"))[0]["C"] == "57014"
    client.close()


def test_libpq_goes_to_the_next_host(draining):
    site = draining
    site.gate.cli("drain")
    hosts = f"host=127.0.0.1,127.0.0.1 port={site.gate.port},{site.pg.port}"
    with psycopg.connect(f"{hosts} user=owner password={stack.OWNER_PASSWORD} dbname=ehr") as connection:
        assert connection.info.port == site.pg.port


def test_it_waits_until_the_last_has_left(draining):
    site = draining
    left(site)
    client = site.wire()
    waiting = subprocess.Popen([str(site.gate.binary), "drain", "--wait", "--timeout", "30s"], stderr=subprocess.PIPE,
                               env=dict(os.environ, CHAPERONE_CONFIG=str(site.gate.config)))
    time.sleep(1.5)
    assert waiting.poll() is None
    assert wire.rows(client.query(SELECT))
    client.close()
    assert waiting.wait(5) == 0, waiting.stderr.read()


def test_it_says_how_many_are_left(draining):
    site = draining
    left(site)
    client = site.wire()
    done = site.gate.cli("drain", "--wait", "--timeout", "1s", check=False)
    assert done.returncode == 5 and "sessions left: 1" in done.stderr
    client.close()


@pytest.mark.parametrize("victim", ["worker", "keeper"])
def test_who_starts_meanwhile_drains_too(draining, victim):
    site = draining
    site.gate.cli("drain")
    for pid in site.gate.pids()[victim]:
        os.kill(pid, signal.SIGKILL)
    for _ in range(20):
        with pytest.raises((PermissionError, wire.ServerClosed, OSError)):
            site.wire()
        time.sleep(0.05)
    stack.wait_for(site.gate.is_ready)
    with pytest.raises(PermissionError, match="57P03"):
        site.wire()


def test_only_administrators_drain(site):
    done = site.gate.cli("drain", token=site.tokens["dana"], check=False)
    assert done.returncode == 3
    site.wire().close()
