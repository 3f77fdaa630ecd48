"""LISTEN and NOTIFY, large objects, and what nobody gets: by policy, with real clients."""
import subprocess

import psycopg
import psycopg2
import pytest

import conftest
import stack
import wire

ROLES = """  - name: listener
    members: ["agent:ai-listener"]
    allow: [{resources: [ehr], actions: [read, write, msg]}]
    masking: analyst
  - name: keeper-of-objects
    members: ["agent:ai-objects"]
    allow: [{resources: [ehr], actions: [read, write, lob]}]
    masking: analyst
"""


@pytest.fixture(scope="module")
def site():
    with stack.temporary_folder() as folder:
        made = conftest.Site(folder, extra_roles=ROLES, when=", tables: [patient]")
        for agent in ("ai-listener", "ai-objects"):
            out = made.gate.cli("agent", "add", agent, "--owner", "dana", "--purpose", "treatment", "--expires", "2031-01-31")
            made.tokens[agent] = out.stdout.strip().split()[-1]
        try:
            yield made
        finally:
            assert made.close() == 0


@pytest.mark.core
@pytest.mark.parametrize("text", ["LISTEN visits", "NOTIFY visits", "NOTIFY visits, 'x'", "SELECT pg_notify('visits', 'x')"])
def test_without_msg_nobody_listens_or_notifies(site, text):
    done = site.psql(text)
    assert "needs msg, which role clinician-analyst does not allow on ehr" in done.stderr
    assert not site.psql("UNLISTEN *").stderr


@pytest.mark.core
def test_with_msg_notifications_arrive_without_what_they_carry(site):
    heard = []
    with psycopg.connect(site.url("ai-listener"), autocommit=True) as listens, \
            psycopg.connect(site.pg.url(), autocommit=True) as other:
        listens.add_notify_handler(heard.append)
        listens.execute("LISTEN visits")
        listens.execute("NOTIFY visits")
        assert [(n.channel, n.payload, n.pid) for n in heard] == [("visits", "", listens.info.backend_pid)]
        other.execute("SELECT pg_notify('visits', 'MRN-123 of Vance')")

        def heard_two():
            listens.execute("SELECT 1")
            return len(heard) == 2
        stack.wait_for(heard_two)
        assert (heard[1].channel, heard[1].payload, heard[1].pid) == ("visits", "", other.info.backend_pid)
        listens.execute("UNLISTEN visits")
        other.execute("NOTIFY visits")
        listens.execute("SELECT 1")
        assert len(heard) == 2
    client = site.wire("ai-listener")
    client.query("LISTEN visits")
    client.query("NOTIFY visits, 'secret'")
    client.query("SELECT 1")
    assert b"visits\0" in bytes(client.seen) and b"secret" not in bytes(client.seen)
    client.close()


@pytest.mark.core
def test_psql_shows_notifications(site):
    done = site.psql("LISTEN visits;\nNOTIFY visits;\nSELECT 1;\n", "ai-listener")
    assert 'Asynchronous notification "visits" received from server process' in done.stdout


@pytest.mark.core
@pytest.mark.parametrize("text", [
    "SELECT lo_get(1)", "SELECT lo_create(0)", "SELECT lo_from_bytea(0, 'x')", "SELECT lo_open(1, 131072)", "SELECT loread(0, 9)",
    "SELECT lowrite(0, 'x')", "SELECT lo_put(1, 0, 'x')", "SELECT lo_unlink(1)", "SELECT lo_tell(0)"])
def test_large_objects_are_refused_by_default(site, text):
    assert "needs lob, which role clinician-analyst does not allow on ehr" in site.psql(text).stderr


@pytest.mark.core
def test_with_lob_they_leave_as_they_are(site):
    """No mask knows what they hold, so a role has to name them."""
    client = site.wire("ai-objects")
    oid = wire.rows(client.query("SELECT lo_from_bytea(0, 'ssn 123-45-6789')"))[0][0]
    assert wire.rows(client.query(f"SELECT lo_get({oid.decode()})")) == [[b"\\x" + b"ssn 123-45-6789".hex().encode()]]
    assert not wire.errors(client.query(f"SELECT lo_unlink({oid.decode()})"))
    client.close()


@pytest.mark.core
def test_clients_of_large_objects_are_told(site):
    """psycopg2 asks for them by FunctionCall, psql by SELECT."""
    with psycopg2.connect(site.url("dana")) as c, pytest.raises(psycopg2.Error) as e:
        c.lobject()
    assert "CHP-5501" in str(e.value) and "FunctionCall is not available" in str(e.value)
    done = site.psql("\\lo_import /etc/hostname\n")
    assert "CHP-" in done.stderr, done


@pytest.mark.core
def test_replication_is_told_so(site):
    for program in (["pg_basebackup", "-D", "-", "-Ft", "-X", "none", "-d", site.url()],
                    ["pg_receivewal", "-D", "/tmp", "--no-loop", "-d", site.url()]):
        done = subprocess.run(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30, cwd="/tmp")
        assert done.returncode != 0 and "CHP-5501" in done.stderr
        assert "replication is not available through the gateway" in done.stderr


@pytest.mark.core
def test_a_function_call_message_leaves_the_session_alive(site):
    client = site.wire()
    got = client.ask(wire.message("F", b"\0\0\3\x7d\0\0\0\0\0\0"))
    assert wire.errors(got)[0]["C"] == "0A000" and wire.errors(got)[0]["R"] == "CHP-5501"
    assert wire.rows(client.query("SELECT 1")) == [[b"1"]]
    client.close()
