"""Two people: one waits in psql, the other answers. Agents get a ticket."""
import os
import re
import subprocess
import threading
import time

import pytest
import stack
import wire

UPDATE = "UPDATE patient SET phone = '(512) 555-0199' WHERE id = 5"


def phone(site, id_=5):
    return site.pg.value(f"SELECT phone FROM patient WHERE id = {id_}")


def pending(site, token="pat", count=1):
    def look():
        found = site.gate.json("approvals", token=site.tokens[token])["items"]
        return found if len(found) >= count else None
    return stack.wait_for(look, 10)


class Waiting:
    """A statement sent on a thread of its own, and what came back."""

    def __init__(self, client, *data):
        self.client, self.result = client, None
        self.thread = threading.Thread(target=self.run, args=data)
        self.thread.start()

    def run(self, *data):
        try:
            self.result = self.client.ask(*data)
        except (wire.ServerClosed, OSError) as error:
            self.result = error

    def done(self, seconds=15):
        self.thread.join(seconds)
        assert not self.thread.is_alive(), "still waiting"
        return self.result


@pytest.mark.core
def test_approved_by_another_person(site):
    shell = subprocess.Popen(["psql", "-X", site.url()], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
    shell.stdin.write(UPDATE + ";\n")
    shell.stdin.flush()
    request = pending(site)[0]
    assert request["caller"] == "dana" and "phone" in request["fact"] and UPDATE in request["what"]["text"]
    assert phone(site) != "(512) 555-0199"
    approved = site.gate.cli("approve", request["id"], token=site.tokens["pat"])
    assert approved.returncode == 0
    out, err = shell.communicate("\\q\n", timeout=20)
    assert "UPDATE 1" in out
    assert re.search(r"NOTICE:  waiting for approval r-\w{10} \(check word: [A-Z]+-\d\d\) by privacy-office", err), err
    assert "NOTICE:  approved by pat; running" in err
    assert phone(site) == "(512) 555-0199"


@pytest.mark.core
@pytest.mark.parametrize("extended", [False, True])
def test_denied_with_a_reason(site, extended):
    client = site.wire()
    before = phone(site, 6)
    text = "UPDATE patient SET phone = '(512) 555-0111' WHERE id = 6" + (" AND 1 = 1" if extended else "")
    data = [wire.parse(text), wire.bind(), wire.describe(), wire.execute(), wire.SYNC] if extended else [wire.query(text)]
    waiting = Waiting(client, *data)
    request = pending(site)[0]
    site.gate.cli("deny", request["id"], "--reason", "not today", token=site.tokens["pat"])
    got = waiting.done()
    error = wire.errors(got)[0]
    assert error["C"] == "42501" and "denied by pat" in error["M"] and "not today" in error["M"]
    assert phone(site, 6) == before and wire.status(got) == "I"
    client.close()


@pytest.mark.core
def test_ctrl_c_withdraws(site):
    client = site.wire()
    waiting = Waiting(client, wire.query("UPDATE patient SET phone = '(512) 555-0122' WHERE id = 7"))
    request = pending(site)[0]
    wire.cancel(site.gate.port, client.key)
    got = waiting.done()
    assert wire.errors(got)[0]["C"] == "57014" and "withdrawn" in wire.errors(got)[0]["M"]
    late = site.gate.cli("approve", request["id"], token=site.tokens["pat"], check=False)
    assert late.returncode != 0
    assert wire.rows(client.query("SELECT 1")) == [[b"1"]]
    client.close()


@pytest.mark.core
def test_a_closed_socket_withdraws(site):
    client = site.wire()
    client.send(wire.query("UPDATE patient SET phone = '(512) 555-0133' WHERE id = 8"))
    request = pending(site)[0]
    client.socket.close()
    stack.wait_for(lambda: not site.gate.json("approvals", token=site.tokens["pat"])["items"], 10)
    assert site.gate.cli("approve", request["id"], token=site.tokens["pat"], check=False).returncode != 0
    assert phone(site, 8) != "(512) 555-0133"


@pytest.mark.core
def test_a_running_statement_is_cancelled_on_the_target(site):
    client = site.wire()
    slow = "SELECT count(*) FROM generate_series(1, 2000) a, generate_series(1, 2000) b, generate_series(1, 200) c"
    waiting = Waiting(client, wire.query(slow))
    time.sleep(0.5)
    wire.cancel(site.gate.port, client.key)
    got = waiting.done()
    assert wire.errors(got)[0]["C"] == "57014"
    client.close()


def test_own_approval_is_refused(site):
    site.gate.cli("user", "add", "both", "--group", "clinical", "--group", "privacy", input="both-password-9\n")
    token = site.gate.token("both")
    client = wire.Client(site.gate.port, "both", "both-password-9")
    waiting = Waiting(client, wire.query("UPDATE patient SET phone = '(512) 555-0144' WHERE id = 9"))
    request = pending(site)[0]
    own = site.gate.cli("approve", request["id"], token=token, check=False)
    assert own.returncode == 3 and "own" in own.stderr.lower()
    site.gate.cli("deny", request["id"], "--reason", "test", token=site.tokens["pat"])
    waiting.done()
    client.close()


def test_who_got_their_credential_from_the_requester_cannot_approve(site):
    """Whoever may make accounts could make themselves an approver, or take one over."""
    if os.geteuid() != 0:
        pytest.skip("needs two accounts of the host")
    with stack.temporary_folder() as folder:
        gate = stack.Gateway(folder / "gate", site.pg.port, admins="postgres", when=", tables: [patient]").start()
        try:
            accounts_of_the_requester(site, gate)
        finally:
            gate.stop()


def accounts_of_the_requester(site, gate):
    def add(user, group, account=None):
        gate.cli("user", "add", user, "--group", group, input=f"{user}-password-1\n", account=account)
        return gate.token(user)

    def reset(user, account=None):
        gate.cli("user", "passwd", user, input=f"{user}-password-2\n", account=account)

    def held(number):
        return Waiting(client, wire.query(f"UPDATE patient SET phone = '(512) 555-016{number}' WHERE id = 15"))

    def request():
        return stack.wait_for(lambda: gate.json("approvals", token=tokens["other"])["items"], 10)[0]["id"]

    def refused(user, id_):
        done = gate.cli("approve", id_, token=tokens[user], check=False)
        assert done.returncode == 3, done
        return done.stderr

    # The requester is the host's account postgres, an administrator; the others are made by root.
    add("postgres", "clinical")
    tokens = {"made": add("made", "privacy", account="postgres"), "taken": add("taken", "privacy"),
              "given": add("given", "privacy"), "other": add("other", "privacy")}
    tokens["given"] = gate.cli("token", "create", "--user", "given", account="postgres").stdout.strip().split()[-1]
    reset("taken", account="postgres")
    client = wire.Client(gate.port, "postgres", "postgres-password-1")
    waiting = held(1)
    id_ = request()
    for user in ("made", "taken", "given"):
        assert "the requester issued or reset your credential" in refused(user, id_), user
    assert phone(site, 15) != "(512) 555-0161"
    gate.cli("approve", id_, token=tokens["other"])
    assert not wire.errors(waiting.done()) and phone(site, 15) == "(512) 555-0161"
    # Once another person has reset it, it is theirs again; an account stays whoever made it.
    reset("taken")
    reset("made")
    tokens["given"] = gate.token("given")
    waiting = held(2)
    assert "the requester made your account" in refused("made", request())
    gate.cli("approve", request(), token=tokens["taken"])
    assert not wire.errors(waiting.done()) and phone(site, 15) == "(512) 555-0162"
    waiting = held(3)
    gate.cli("approve", request(), token=tokens["given"])
    assert not wire.errors(waiting.done()) and phone(site, 15) == "(512) 555-0163"
    # Only `made` is left, who may not: nobody waits for an answer that cannot come.
    for user in ("taken", "given", "other"):
        gate.cli("user", "disable", user)
    told = wire.errors(held(4).done(5))[0]["M"]
    assert "approval cannot be asked for: there is nobody in privacy-office who could answer" in told
    gate.cli("user", "enable", "other")
    waiting = held(5)
    gate.cli("approve", request(), token=tokens["other"])
    assert not wire.errors(waiting.done()) and phone(site, 15) == "(512) 555-0165"
    client.close()


def test_an_administrator_cannot_approve(site):
    client = site.wire()
    waiting = Waiting(client, wire.query("UPDATE patient SET phone = '(512) 555-0155' WHERE id = 10"))
    request = pending(site)[0]
    refused = site.gate.cli("approve", request["id"], check=False)  # root, on the admin socket
    assert refused.returncode in (3, 4), refused.stderr
    site.gate.cli("deny", request["id"], "--reason", "test", token=site.tokens["pat"])
    waiting.done()
    client.close()


def test_the_agent_cannot_approve_itself_and_a_stranger_cannot_either(site):
    client = site.wire()
    waiting = Waiting(client, wire.query("UPDATE patient SET phone = '(512) 555-0166' WHERE id = 11"))
    request = pending(site)[0]
    for who in ("ai-triage", "erin"):
        refused = site.gate.cli("approve", request["id"], token=site.tokens[who], check=False)
        assert refused.returncode in (3, 4), (who, refused)
    site.gate.cli("deny", request["id"], "--reason", "test", token=site.tokens["pat"])
    waiting.done()
    client.close()


@pytest.mark.core
def test_changed_bind_value_needs_a_new_approval(site):
    client = site.wire()
    text = "UPDATE patient SET phone = $1 WHERE id = 12"
    client.ask(wire.parse(text, "u"), wire.SYNC)
    run = lambda value: [wire.bind([value], "u"), wire.execute(), wire.SYNC]  # noqa: E731
    waiting = Waiting(client, *run("(512) 555-0177"))
    site.gate.cli("approve", pending(site)[0]["id"], token=site.tokens["pat"])
    assert not wire.errors(waiting.done())
    waiting = Waiting(client, *run("(512) 555-0178"))
    request = pending(site)[0]
    assert "0178" in str(request)
    site.gate.cli("deny", request["id"], "--reason", "other value", token=site.tokens["pat"])
    assert wire.errors(waiting.done())
    assert phone(site, 12) == "(512) 555-0177"
    client.close()


@pytest.mark.core
def test_an_agents_ticket(site):
    text = "UPDATE patient SET phone = '(512) 555-0188' WHERE id = 13;"
    first = site.psql(text, "ai-triage")
    assert first.returncode == 0 and "approval needed: request r-" in first.stderr, first.stderr
    request = re.search(r"r-\w{10}", first.stderr).group(0)
    again = site.psql(text, "ai-triage")          # asked again before an answer: the same request
    assert request in again.stderr
    site.gate.cli("approve", request, token=site.tokens["pat"])  # the agent's process ended long ago
    ran = site.psql(text, "ai-triage")
    assert "UPDATE 1" in ran.stdout, ran.stderr
    assert phone(site, 13) == "(512) 555-0188"
    once = site.psql(text, "ai-triage")
    assert "approval needed: request r-" in once.stderr and request not in once.stderr
    other = re.search(r"r-\w{10}", once.stderr).group(0)
    site.gate.cli("deny", other, "--reason", "done already", token=site.tokens["pat"])
    asked_again = site.psql(text, "ai-triage")
    assert "denied" in asked_again.stderr


def test_expiry(site):
    with stack.temporary_folder() as folder:
        gate = stack.Gateway(folder / "gate", site.pg.port, hold="2s").start()
        try:
            passwords, _ = gate.add_people()
            client = wire.Client(gate.port, "dana", passwords["dana"])
            started = time.monotonic()
            got = client.query("UPDATE patient SET phone = '(512) 555-0190' WHERE id = 14")
            assert wire.errors(got)[0]["C"] == "57014" and "in time" in wire.errors(got)[0]["M"]
            assert 1 < time.monotonic() - started < 8
            client.close()
        finally:
            gate.stop()


def test_a_disabled_user_is_cut(site):
    site.gate.cli("user", "add", "leaver", "--group", "clinical", input="leaver-password-1\n")
    client = wire.Client(site.gate.port, "leaver", "leaver-password-1")
    site.gate.cli("user", "disable", "leaver")
    try:
        tag, body = client.receive()
        assert tag == "E" and wire.fields(body)["C"] == "57P01"
    except wire.ServerClosed:
        pass
    with pytest.raises(PermissionError):
        wire.Client(site.gate.port, "leaver", "leaver-password-1")
