"""A new configuration without a restart: all processes or none, and what it means for who is connected."""
import contextlib
import os
import signal
import threading
import time

import conftest
import psycopg
import pytest
import stack
import wire

GUARDRAIL = "  - {{name: {name}, resources: [ehr], match: {{tables: [{table}]}}, message: \"not today\"}}\n"
SELECT = "SELECT id, city FROM patient WHERE id = 5"


class Reloads:
    """The configuration file of a gateway, changed and put back."""

    def __init__(self, site):
        self.site, self.gate = site, site.gate
        self.before = self.gate.config.read_text()

    def write(self, *changes):
        text = self.gate.config.read_text()
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new, 1)
        self.gate.config.write_text(text)

    def reload(self, *changes):
        self.write(*changes)
        return self.gate.json("reload")

    def refused(self, *changes):
        self.write(*changes)
        done = self.gate.cli("reload", check=False)
        self.gate.config.write_text(self.before)
        return done

    def forbid(self, table, name="no-table"):
        return self.reload(("guardrails:\n", "guardrails:\n" + GUARDRAIL.format(name=name, table=table)))

    def policy(self):
        return self.gate.json("status")["policy"]

    def restore(self):
        self.gate.config.write_text(self.before)
        stack.wait_for(lambda: self.gate.cli("reload", check=False).returncode == 0, 20, 0.2)


@pytest.fixture
def reloads(site):
    made = Reloads(site)
    yield made
    made.restore()


def refusal(answer):
    """SQLSTATE and message of the one error in it."""
    found = wire.errors(answer)
    assert len(found) == 1 and found[0]["S"] == "ERROR", answer
    return f"{found[0]['C']} {found[0]['M']}"


def last_words(client):
    """Of a session that is being cut: nothing is asked, and nothing comes behind them."""
    found = wire.errors(client.until())
    assert len(found) == 1 and found[0]["S"] == "FATAL", found
    with pytest.raises(wire.ServerClosed):
        client.receive()
    client.close()
    return f"{found[0]['C']} {found[0]['M']}"


def changes(site):
    """The config.change records among the newest."""
    lines = site.gate.cli("audit", "tail", "--lines", "10000").stdout.splitlines()
    return {line for line in lines if "config.change" in line}


def intact(site):
    site.gate.cli("audit", "checkpoint")
    return site.gate.cli("audit", "verify", check=False)


@pytest.mark.core
def test_a_tighter_rule_meets_a_running_session_at_once(site, reloads):
    before = reloads.policy()
    client = site.wire()
    try:
        assert wire.rows(client.query(SELECT))
        done = reloads.forbid("patient")
        assert done["epoch"] > before["epoch"] and done["policy_hash"] != before["hash"]
        assert "no-table" in refusal(client.query(SELECT))
        assert wire.rows(client.query("SELECT count(*) FROM encounter"))
    finally:
        client.close()
    now = reloads.policy()
    assert now["hash"] == done["policy_hash"] and now["epoch"] == done["epoch"] and now["since_ns"] > before["since_ns"]


def test_a_prepared_statement_is_judged_by_the_rules_of_its_execution(site, reloads):
    with psycopg.connect(site.url(), prepare_threshold=0, autocommit=True) as connection:
        for _ in range(3):
            assert connection.execute("SELECT city FROM patient WHERE id = %s", (5,)).fetchall()
        reloads.forbid("patient")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT city FROM patient WHERE id = %s", (5,))


def test_masks_are_those_of_the_rules_in_force(site, reloads):
    person = site.people[4]
    with psycopg.connect(site.url(), autocommit=True) as connection:
        city = "SELECT city, mrn FROM patient WHERE id = 5"
        first = connection.execute(city).fetchone()
        assert first[0] == person["city"]
        # A pseudonym of another scope: the session is lent its key.
        reloads.reload(("method: pseudonym, scope: ehr", "method: pseudonym, scope: other"),
                       ("patient.sex, patient.city,", "patient.sex,"))
        second = connection.execute(city).fetchone()
        assert second[0] is None and second[1].startswith("MRN-") and second[1] != first[1]
        reloads.restore()
        assert connection.execute(city).fetchone() == first


def test_who_lost_the_role_is_cut_and_told(site, reloads):
    dana, triage = site.wire(), site.wire("ai-triage")
    reloads.reload(('members: ["group:local/clinical"]', 'members: ["group:local/nobody"]'))
    said = last_words(dana)
    assert said.startswith("57P01") and "role of this session is gone" in said and "connect again" in said
    assert wire.rows(triage.query(SELECT))
    triage.close()
    with pytest.raises(PermissionError, match="42501"):
        site.wire()


def test_who_would_have_another_role_is_cut(site, reloads):
    dana = site.wire()
    role = ("roles:\n", "roles:\n  - {name: narrow, members: [\"user:dana\"], allow: [{resources: [ehr], "
                        "actions: [read], tables: [encounter]}]}\n")
    reloads.reload(role)
    assert "role of this session is gone" in last_words(dana)
    again = site.wire()
    assert "42501" in refusal(again.query(SELECT))
    again.close()


def test_another_target_cuts_those_who_were_on_the_old_one(site, reloads):
    dana, idle = wire.started(site.wire()), site.wire()
    reloads.reload((f"address: 127.0.0.1:{site.pg.port}", f"address: localhost:{site.pg.port}"))
    assert "not the same any more" in last_words(dana)
    # Nothing of the old one had to do with a session that has not asked for anything yet.
    assert wire.rows(idle.query(SELECT))
    session = site.gate.json("session", "show", idle.parameters["chaperone.session"], token=site.tokens["dana"])
    assert session["server"].endswith(f":{site.pg.port}") and session["state"] == "live", session
    idle.close()
    again = site.wire()
    assert wire.rows(again.query(SELECT))
    again.close()


def test_a_resource_comes_and_goes(site, reloads):
    """Its catalogue is its own: the same text means what it means there."""
    site.pg.sql("DROP DATABASE IF EXISTS other", "postgres")
    site.pg.sql("CREATE DATABASE other", "postgres")
    site.pg.sql("CREATE TABLE filler (a int); CREATE TABLE patient (id int, city text, ssn text); "
                "INSERT INTO patient VALUES (5, 'Elsewhere', '000-00-0000'); "
                "GRANT SELECT ON patient TO gate_ehr", "other")
    other = (f"  - name: other\n    type: postgres\n    address: 127.0.0.1:{site.pg.port}\n"
             f"    credentials: {{user: gate_ehr, password: file:{site.gate.folder}/ehr.password}}\n"
             "    tls: {mode: disable}\n    labels: {env: demo, phi: \"no\"}\n")
    here = site.wire()
    with pytest.raises(PermissionError):
        site.wire(database="other")
    reloads.reload(("roles:\n", other + "roles:\n"), ("allow: [{resources: [ehr], actions", "allow: [{resources: [ehr, other], actions"))
    there = site.wire(database="other")
    for _ in range(3):
        assert wire.rows(here.query(SELECT)) != wire.rows(there.query(SELECT)) == [[b"5", b"Elsewhere"]]
    reloads.restore()
    assert "not the same any more" in last_words(there)
    assert wire.rows(here.query(SELECT))
    here.close()


def test_a_bad_file_changes_nothing_and_says_where(site, reloads):
    before, client = reloads.policy(), site.wire()
    done = reloads.refused(("hold_default:", "hold_defualt:"))
    assert done.returncode == 2 and "hold_defualt" in done.stderr and ":5" in done.stderr, done.stderr
    # What every process has to say yes to is asked by a signal as well.
    reloads.write(("guardrails:\n", "gaurdrails:\n"))
    seen = len(site.gate.log_text())
    os.kill(site.gate.process.pid, signal.SIGHUP)
    stack.wait_for(lambda: "nothing changed" in site.gate.log_text()[seen:])
    assert "gaurdrails" in site.gate.log_text()[seen:]
    site.gate.config.write_text(reloads.before)
    assert reloads.policy() == before
    assert wire.rows(client.query(SELECT))
    client.close()


@pytest.mark.parametrize("old, new, named", [
    ("  workers: 2", "  workers: 3", "gateway.workers"),
    ("root_key: auto", "root_key: 'file:/etc/chaperone/root'", "storage.root_key"),
    ("admin_users: []", "admin_users: [daemon]", "gateway.admin_users"),
    ("state/journal", "state/journal2", "storage.journal"),
])
def test_what_only_a_start_can_change_is_refused_by_name(site, reloads, old, new, named):
    before = reloads.policy()
    done = reloads.refused((old, new))
    assert done.returncode == 2 and named in done.stderr and "restart" in done.stderr, done.stderr
    assert reloads.policy() == before


def test_a_secret_that_is_not_there_is_a_no(site, reloads):
    before = reloads.policy()
    done = reloads.refused(("ehr.password", "not-there.password"))
    assert done.returncode == 2 and "ehr: its password" in done.stderr, done.stderr
    assert reloads.policy() == before


def test_only_administrators_reload(site):
    done = site.gate.cli("reload", token=site.tokens["dana"], check=False)
    assert done.returncode == 3 and "administrators" in done.stderr


def test_one_process_that_is_silent_stops_it_for_all(site, reloads):
    before, client = reloads.policy(), site.wire()
    worker = site.gate.pids()["worker"][0]
    os.kill(worker, signal.SIGSTOP)
    try:
        done = reloads.refused(("guardrails:\n", "guardrails:\n" + GUARDRAIL.format(name="x", table="patient")))
    finally:
        os.kill(worker, signal.SIGCONT)
    assert done.returncode == 1 and "did not answer" in done.stderr, done.stderr
    assert reloads.policy() == before
    for _ in range(2 * 3):  # whichever worker it is
        other = site.wire()
        assert wire.rows(other.query(SELECT))
        other.close()
    assert wire.rows(client.query(SELECT))
    client.close()
    reloads.forbid("patient")
    other = site.wire()
    assert "no-table" in refusal(other.query(SELECT))
    other.close()


@pytest.mark.parametrize("victim", ["worker", "keeper"])
def test_one_process_that_ends_between_the_phases_stops_it_for_all(site, reloads, victim):
    before = reloads.policy()
    pid = site.gate.pids()[victim][0]
    seen = len(site.gate.log_text())
    reloads.write(("guardrails:\n", "guardrails:\n" + GUARDRAIL.format(name="x", table="patient")))
    os.kill(pid, signal.SIGSTOP)
    os.kill(site.gate.process.pid, signal.SIGHUP)
    time.sleep(0.5)  # the others have said yes
    os.kill(pid, signal.SIGKILL)
    stack.wait_for(lambda: "nothing changed" in site.gate.log_text()[seen:])
    site.gate.config.write_text(reloads.before)
    stack.wait_for(site.gate.is_ready)
    now = reloads.policy()
    assert now["hash"] == before["hash"] and now["epoch"] == before["epoch"]
    client = site.wire()
    assert wire.rows(client.query(SELECT))
    client.close()


@pytest.mark.parametrize("victim", ["worker", "keeper"])
def test_who_starts_later_gets_what_is_in_force_and_not_the_file(site, reloads, victim):
    done = reloads.forbid("patient")
    reloads.write(("no-table", "not-in-force"))
    for pid in site.gate.pids()[victim]:
        os.kill(pid, signal.SIGKILL)
    time.sleep(0.3)
    stack.wait_for(site.gate.is_ready)
    assert reloads.policy()["hash"] == done["policy_hash"]
    for _ in range(6):
        client = site.wire()
        assert "no-table" in refusal(client.query(SELECT))
        client.close()


def test_a_held_statement_is_judged_again(site, reloads):
    client, result = site.wire(), []
    update = "UPDATE patient SET phone = '(512) 555-0101' WHERE id = 7"
    thread = threading.Thread(target=lambda: result.append(client.query(update)))
    thread.start()
    first = stack.wait_for(lambda: site.gate.json("approvals", token=site.tokens["pat"])["items"])[0]
    reloads.reload(("name: writes-on-phi", "name: writes-again"))
    second = stack.wait_for(lambda: [r for r in site.gate.json("approvals", token=site.tokens["pat"])["items"]
                                     if r["id"] != first["id"]])[0]
    assert second["rule"] == "writes-again"
    assert site.gate.cli("approve", first["id"], token=site.tokens["pat"], check=False).returncode != 0
    site.gate.cli("approve", second["id"], token=site.tokens["pat"])
    thread.join(10)
    assert "UPDATE 1" in str(result[0])
    client.close()


def test_a_held_statement_that_is_forbidden_now_is_refused(site, reloads):
    client, result = site.wire(), []
    update = "UPDATE patient SET phone = '(512) 555-0102' WHERE id = 7"
    thread = threading.Thread(target=lambda: result.append(client.query(update)))
    thread.start()
    stack.wait_for(lambda: site.gate.json("approvals", token=site.tokens["pat"])["items"])
    reloads.forbid("patient")
    thread.join(10)
    assert "no-table" in refusal(result[0])
    assert not site.gate.json("approvals", token=site.tokens["pat"])["items"]
    client.close()


class Load(threading.Thread):
    """One session that asks all the time, and one after the other that sign in."""

    def __init__(self, site, again):
        super().__init__(daemon=True)
        self.site, self.again = site, again
        self.stop, self.asked, self.sessions, self.failed = False, 0, 0, []

    def run(self):
        while not self.stop and not self.failed:
            try:
                self.session()
            except Exception as e:  # noqa: BLE001
                self.failed.append(repr(e))

    def session(self):
        with contextlib.closing(self.site.wire()) as client:
            self.sessions += 1
            for _ in range(5 if self.again else 1000000):
                if self.stop:
                    return
                rows = wire.rows(client.query(SELECT))
                assert len(rows) == 1, rows
                self.asked += 1
                time.sleep(0.003)


@pytest.mark.core
def test_twenty_reloads_under_load_lose_nobody(site, reloads):
    loads = [Load(site, again) for again in (False, False, True, True)]
    first = reloads.policy()["epoch"]
    recorded = changes(site)
    for load in loads:
        load.start()
    hashes = set()
    for i in range(20):
        old = "hold: 10m}" if i == 0 else f"hold: {9 + i}m}}"
        hashes.add(reloads.reload((old, f"hold: {10 + i}m}}"))["policy_hash"])
        time.sleep(0.05)
    for load in loads:
        load.stop = True
    for load in loads:
        load.join(20)
    assert [load.failed for load in loads] == [[], [], [], []]
    assert loads[0].sessions == loads[1].sessions == 1 and loads[2].sessions > 2
    assert reloads.policy()["epoch"] == first + 20 and len(hashes) == 20
    assert len(changes(site) - recorded) == 20
    verified = intact(site)
    assert verified.returncode == 0, verified.stdout


# --- certificates and secrets --------------------------------------------------------------------


@pytest.fixture(scope="module")
def authorities():
    with stack.temporary_folder() as folder:
        yield stack.Certificates(folder / "one", "one"), stack.Certificates(folder / "two", "two")


@pytest.fixture
def tls_site(authorities):
    """TLS on both legs; the files that the configuration names are copies, to be replaced."""
    one, _ = authorities
    with stack.temporary_folder() as folder:
        files = folder / "tls"
        files.mkdir()
        os.chmod(files, 0o755)
        put(files, one.make("gate"))
        (files / "target-ca.pem").write_bytes(one.ca.read_bytes())
        made = conftest.Site(folder, pg_tls=one.make("pg"), sandbox="required",
                             gateway_tls=f'  tls: {{cert: "file:{files}/cert.pem", key: "file:{files}/key.pem"}}\n',
                             target_tls=f"mode: verify-full, ca: file:{files}/target-ca.pem")
        made.files = files
        try:
            yield made
        finally:
            made.close()


def put(folder, pair):
    """As tools that renew do: a new file, moved over the old one."""
    for path, name in zip(pair, ("cert.pem", "key.pem")):
        fresh = folder / f".{name}"
        fresh.write_bytes(path.read_bytes())
        os.chmod(fresh, 0o644)
        fresh.rename(folder / name)


def secured(site, authority):
    return psycopg.connect(site.url(sslmode="verify-full", sslrootcert=authority.ca, channel_binding="require"),
                           autocommit=True)


def test_a_new_certificate_is_for_new_handshakes(tls_site, authorities):
    one, two = authorities
    before = tls_site.gate.json("status")
    old = secured(tls_site, one)
    put(tls_site.files, two.make("gate", days=100))
    with secured(tls_site, one):
        pass  # nobody was told of the new one yet
    tls_site.gate.json("reload")
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        secured(tls_site, one)
    with secured(tls_site, two) as fresh:
        assert fresh.execute(SELECT).fetchall() == old.execute(SELECT).fetchall()
    now = tls_site.gate.json("status")
    assert now["tls"]["days_left"] < 101 < before["tls"]["days_left"]
    assert now["policy"]["hash"] == before["policy"]["hash"] and now["policy"]["epoch"] == before["policy"]["epoch"] + 1
    for victim in ("worker", "keeper"):  # who starts later has the same pair
        for pid in tls_site.gate.pids()[victim]:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.3)
        stack.wait_for(tls_site.gate.is_ready)
        secured(tls_site, two).close()


@pytest.mark.parametrize("what", ["another key", "no certificate", "gone", "expired"])
def test_a_certificate_that_cannot_be_used_is_a_no(tls_site, authorities, what):
    one, _ = authorities
    put(tls_site.files, one.make("late", days=-3) if what == "expired" else one.make("second"))
    if what == "another key":
        (tls_site.files / "key.pem").write_bytes(one.make("third")[1].read_bytes())
    elif what == "no certificate":
        (tls_site.files / "cert.pem").write_text("no certificate\n")
    elif what == "gone":
        (tls_site.files / "cert.pem").unlink()
    done = tls_site.gate.cli("reload", check=False)
    words = {"another key": "do not belong together", "no certificate": "cert.pem: ",
             "gone": "cannot read", "expired": "has expired"}[what]
    assert done.returncode == 2 and words in done.stderr and "nothing changed" in done.stderr, done.stderr
    assert tls_site.gate.json("status")["policy"]["epoch"] == 1
    with secured(tls_site, one) as connection:
        assert connection.execute(SELECT).fetchall()


def test_handshakes_go_on_while_certificates_change(tls_site, authorities):
    one, _ = authorities
    pairs = [one.make(f"pair{i}", kind) for i, kind in enumerate(("P-256", "rsa:2048"))]
    stop, failed, count = threading.Event(), [], [0]

    def connect():
        while not stop.is_set() and not failed:
            try:
                with secured(tls_site, one) as connection:
                    assert connection.execute(SELECT).fetchall()
                count[0] += 1
            except Exception as e:  # noqa: BLE001
                failed.append(repr(e))

    threads = [threading.Thread(target=connect) for _ in range(3)]
    for thread in threads:
        thread.start()
    for i in range(20):
        put(tls_site.files, pairs[i % 2])
        tls_site.gate.json("reload")
        time.sleep(0.15 if i < 15 else 0)
    stop.set()
    for thread in threads:
        thread.join(20)
    assert not failed and count[0] > 10


def test_a_target_is_believed_by_the_new_authority(tls_site, authorities):
    one, two = authorities
    connection = secured(tls_site, one)
    assert connection.execute("SELECT 1").fetchall()
    (tls_site.files / "target-ca.pem").write_bytes(two.ca.read_bytes())
    tls_site.gate.json("reload")
    with pytest.raises(psycopg.OperationalError, match="CHP-5101"):
        secured(tls_site, one).execute("SELECT 1")
    assert connection.execute("SELECT 1").fetchall()  # it was shaken hands with before
    (tls_site.files / "target-ca.pem").write_bytes(two.ca.read_bytes() + one.ca.read_bytes())
    tls_site.gate.json("reload")
    with secured(tls_site, one) as again:
        assert again.execute(SELECT).fetchall()
    assert connection.execute(SELECT).fetchall()


def test_tls_comes_and_goes(site, reloads, authorities):
    """Workers that began without TLS make it under their sandbox."""
    one, _ = authorities
    folder = site.gate.folder
    put(folder, one.make("gate"))
    plain = site.wire()
    reloads.reload(("  admin_socket:", f'  tls: {{cert: "file:{folder}/cert.pem", key: "file:{folder}/key.pem"}}\n  admin_socket:'))
    with secured(site, one) as connection:
        assert connection.execute(SELECT).fetchall()
        reloads.restore()
        assert connection.execute(SELECT).fetchall()
        with pytest.raises(psycopg.OperationalError, match="does not support SSL"):
            secured(site, one)
    assert wire.rows(plain.query(SELECT))
    plain.close()


@pytest.fixture
def password(site):
    """Sets the target's password of the gateway's account, and its file, apart."""
    class Password:
        file = site.gate.folder / "ehr.password"

        def in_target(self, text):
            site.pg.sql(f"ALTER ROLE gate_ehr PASSWORD '{text}'")

        def in_file(self, text):
            fresh = self.file.with_suffix(".fresh")
            fresh.write_text(text + "\n")
            os.chmod(fresh, 0o644)
            fresh.rename(self.file)

        def refusals(self):
            return (site.pg.folder / "server.log").read_text().count('password authentication failed for user "gate_ehr"')

    made = Password()
    yield made
    made.in_target(stack.GATE_PASSWORD)
    made.in_file(stack.GATE_PASSWORD)
    time.sleep(2.5)


def test_a_rotated_password_works_without_a_reload(site, password):
    old = site.wire()
    password.in_file("rotated-1")
    password.in_target("rotated-1")
    for _ in range(4):
        with contextlib.closing(site.wire()) as client:
            assert wire.rows(client.query(SELECT))
    assert wire.rows(old.query(SELECT))
    old.close()


def test_a_password_that_is_changed_there_first_is_tried_once_more(site, password):
    refused = password.refusals()
    password.in_target("rotated-2")
    late = threading.Timer(0.25, password.in_file, ["rotated-2"])
    late.start()
    with contextlib.closing(site.wire()) as client:
        assert wire.rows(client.query(SELECT))
    late.join()
    assert password.refusals() == refused + 1


def test_a_wrong_password_is_not_tried_for_ever(site, password):
    refused = password.refusals()
    password.in_target("rotated-3")
    started = time.monotonic()
    error = wire.refusal(site.wire)
    assert error["C"] == "08004" and error["R"] == "CHP-5102"
    assert time.monotonic() - started < 3
    assert password.refusals() == refused + 2
    # And with many at once there is no second try for each.
    done, failed = conftest.at_once(8, lambda: wire.refusal(site.wire)["R"])
    assert not failed and done == ["CHP-5102"] * 8
    assert password.refusals() <= refused + 2 + 8 + 2  # one more for each of two workers


def test_the_catalogue_is_read_with_the_new_password_too(site, password):
    password.in_target("rotated-4")
    site.pg.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'chaperone/catalogue'")
    late = threading.Timer(0.3, password.in_file, ["rotated-4"])
    late.start()
    with contextlib.closing(site.wire()) as client:
        assert wire.rows(client.query(SELECT))
    late.join()
