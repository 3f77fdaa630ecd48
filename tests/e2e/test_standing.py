"""Who is disabled, removed, moved or expired, and whose token is revoked, is out of running sessions too."""
import os
import signal
import sqlite3
import time

import pytest
import stack
import wire

SELECT = "SELECT id, city FROM patient WHERE id = 5"
LIMIT_S = 5


@pytest.fixture
def leaver(site, request):
    name = f"leaver{abs(hash(request.node.name)) % 10**8}"
    site.gate.cli("user", "add", name, "--group", "clinical", input="leaver-password-1\n")
    yield name
    site.gate.cli("user", "rm", name, check=False)


def connected(site, name, secret="leaver-password-1"):
    client = wire.Client(site.gate.port, name, secret)
    assert wire.rows(client.query(SELECT))
    return client


def cut_after(client, words):
    """Seconds until the FATAL came; behind it there is nothing."""
    started = time.monotonic()
    client.socket.settimeout(LIMIT_S)
    tag, body = client.receive()
    fields = wire.fields(body)
    assert tag == "E" and fields["S"] == "FATAL" and fields["C"] == "57P01" and words in fields["M"], fields
    with pytest.raises(wire.ServerClosed):
        client.receive()
    client.close()
    return time.monotonic() - started


def token_id(site, name):
    return [t["id"] for t in site.gate.json("token", "ls", "--user", name)["items"] if t["state"] == "active"][-1]


@pytest.mark.parametrize("call, words", [
    (("user", "disable"), "was disabled"),
    (("user", "rm"), "was removed"),
    (("user", "groups"), "groups were changed"),
])
def test_a_user_who_is_out_is_cut(site, leaver, call, words):
    busy, idle = connected(site, leaver), connected(site, leaver)
    busy.send(wire.query("SELECT pg_sleep(30)"))
    other = site.wire()
    site.gate.cli(*call, leaver)
    assert max(cut_after(busy, words), cut_after(idle, words)) < LIMIT_S
    assert wire.rows(other.query(SELECT))
    other.close()
    with pytest.raises(PermissionError):
        connected(site, leaver)


def test_an_agent_that_is_paused_is_cut(site):
    client = site.wire("ai-triage")
    site.gate.cli("agent", "pause", "ai-triage")
    try:
        cut_after(client, "was disabled")
    finally:
        site.gate.cli("agent", "resume", "ai-triage")
    site.wire("ai-triage").close()


def test_a_revoked_token_ends_what_it_opened_and_nothing_else(site, leaver):
    by_password = connected(site, leaver)
    kept = connected(site, leaver, site.gate.token(leaver))
    lost = connected(site, leaver, site.gate.token(leaver))
    site.gate.cli("token", "revoke", token_id(site, leaver))
    cut_after(lost, "token was revoked")
    for client in (by_password, kept):
        assert wire.rows(client.query(SELECT))
        client.close()


def test_a_token_that_expires_ends_what_it_opened(site, leaver):
    client = connected(site, leaver, site.gate.token(leaver, ttl="3s"))
    started = time.monotonic()
    client.socket.settimeout(3 + LIMIT_S)
    assert wire.fields(client.receive()[1])["M"].count("token has expired") == 1
    assert time.monotonic() - started < 3 + LIMIT_S
    client.close()


def test_a_new_password_ends_what_the_old_one_opened(site, leaver):
    by_password, by_token = connected(site, leaver), connected(site, leaver, site.gate.token(leaver))
    site.gate.cli("user", "passwd", leaver, input="leaver-password-2\n")
    cut_after(by_password, "password was changed")
    assert wire.rows(by_token.query(SELECT))
    by_token.close()
    connected(site, leaver, "leaver-password-2").close()


def test_a_held_statement_of_somebody_disabled_is_gone(site, leaver):
    client = connected(site, leaver)
    client.send(wire.query("UPDATE patient SET phone = '(512) 555-0103' WHERE id = 9"))
    stack.wait_for(lambda: site.gate.json("approvals", token=site.tokens["pat"])["items"])
    client.receive()  # the notice
    site.gate.cli("user", "disable", leaver)
    cut_after(client, "was disabled")
    stack.wait_for(lambda: not site.gate.json("approvals", token=site.tokens["pat"])["items"])


def test_what_the_keeper_could_not_say_any_more_is_said_by_the_next(site, leaver):
    """Disabled, on disk, and the keeper ends before it has told anybody."""
    client = connected(site, leaver)
    keeper = site.gate.pids()["keeper"][0]
    os.kill(keeper, signal.SIGSTOP)
    with sqlite3.connect(site.gate.folder / "state/state.db", timeout=10) as store:
        store.execute("UPDATE user SET disabled = 1 WHERE name = ?", (leaver,))
    store.close()
    os.kill(keeper, signal.SIGKILL)
    assert cut_after(client, "was disabled") < LIMIT_S
    stack.wait_for(site.gate.is_ready)
