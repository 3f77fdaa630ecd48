"""Agents wait for a while, then get a ticket: the request stays open, and runs once when it is approved."""
import os
import signal
import time

import pytest

import conftest
import stack
import wire
from test_holds import Waiting

AFTER_S = 2
UPDATE = "UPDATE patient SET phone = '(512) 555-02{n:02d}' WHERE id = {n}"


@pytest.fixture(scope="module")
def site():
    with stack.temporary_folder() as folder:
        made = conftest.Site(folder, ticket_after=f"{AFTER_S}s")
        try:
            yield made
        finally:
            assert made.close() == 0


@pytest.fixture
def agent(site):
    c = site.wire("ai-triage")
    yield c
    c.close()


def pending(site):
    return stack.wait_for(lambda: site.gate.json("approvals", token=site.tokens["pat"])["items"], 10)[0]["id"]


def changed(site, n):
    return site.pg.value(f"SELECT phone FROM patient WHERE id = {n}") == f"(512) 555-02{n:02d}"


def settle(site, id_):
    site.gate.cli("deny", id_, "--reason", "test", token=site.tokens["pat"])


@pytest.mark.core
def test_it_waits_and_then_has_a_ticket(site, agent):
    began = time.monotonic()
    got = agent.query(UPDATE.format(n=1))
    waited = time.monotonic() - began
    (notice,), (error,) = wire.notices(got), wire.errors(got)
    assert AFTER_S <= waited < AFTER_S + 3
    assert f"up to {AFTER_S} s; the request stays open after that" in notice["M"]
    assert error["R"] == "CHP-3202" and pending(site) in error["M"] and not changed(site, 1)
    site.gate.cli("approve", pending(site), token=site.tokens["pat"])
    assert not wire.errors(agent.query(UPDATE.format(n=1))) and changed(site, 1)
    again = wire.errors(agent.query(UPDATE.format(n=1)))
    assert again[0]["R"] == "CHP-3202"  # used up
    settle(site, pending(site))


@pytest.mark.core
def test_approved_or_denied_while_it_waits(site, agent):
    waiting = Waiting(agent, wire.query(UPDATE.format(n=2)))
    site.gate.cli("approve", pending(site), token=site.tokens["pat"])
    got = waiting.done()
    assert not wire.errors(got) and "approved by pat; running" in wire.notices(got)[-1]["M"] and changed(site, 2)
    waiting = Waiting(agent, wire.query(UPDATE.format(n=3)))
    settle(site, pending(site))
    assert "denied by pat" in wire.errors(waiting.done())[0]["M"] and not changed(site, 3)


def test_its_process_may_end_meanwhile(site):
    client = site.wire("ai-triage")
    client.send(wire.query(UPDATE.format(n=4)))
    id_ = pending(site)
    client.close()
    time.sleep(0.5)
    site.gate.cli("approve", id_, token=site.tokens["pat"])
    client = site.wire("ai-triage")
    assert not wire.errors(client.query(UPDATE.format(n=4))) and changed(site, 4)
    client.close()


def test_another_session_of_it_does_not_wait_for_the_same(site, agent):
    waiting = Waiting(agent, wire.query(UPDATE.format(n=5)))
    id_ = pending(site)
    second = site.wire("ai-triage")
    began = time.monotonic()
    assert id_ in wire.errors(second.query(UPDATE.format(n=5)))[0]["M"]
    assert time.monotonic() - began < 1
    second.close()
    assert id_ in wire.errors(waiting.done())[0]["M"]
    settle(site, id_)


def test_a_keeper_that_was_killed_forgets_no_ticket(site, agent):
    waiting = Waiting(agent, wire.query(UPDATE.format(n=6)))
    id_ = pending(site)
    os.kill(site.gate.pids()["keeper"][0], signal.SIGKILL)
    stack.wait_for(site.gate.is_ready, 10)
    assert id_ in wire.errors(waiting.done(20))[0]["M"]
    site.gate.cli("approve", id_, token=site.tokens["pat"])
    assert not wire.errors(agent.query(UPDATE.format(n=6))) and changed(site, 6)
