"""Unchanged clients get what a direct connection gives them, but for masked cells."""
import datetime
import re
import subprocess

import psycopg
import psycopg2
import pytest
import stack
import wire

STATEMENTS = [
    "SELECT 1",
    "SELECT 1 AS a, 'x'::text AS b, NULL AS c, 1.50::numeric, now() IS NOT NULL",
    "SELECT id, city, state FROM patient ORDER BY id LIMIT 20",
    "SELECT count(*), state FROM patient GROUP BY state ORDER BY state",
    "SELECT e.department, count(*), sum(e.charge) FROM encounter e JOIN patient p ON p.id = e.patient_id "
    "WHERE p.city = 'Austin' GROUP BY 1 ORDER BY 1",
    "SELECT * FROM encounter ORDER BY id LIMIT 5".replace("*", "id, patient_id, department, admitted, charge"),
    "WITH x AS (SELECT id, city FROM patient WHERE id < 10) SELECT city, count(*) FROM x GROUP BY city ORDER BY city",
    "SELECT generate_series(1, 5)",
    "SELECT relname FROM pg_catalog.pg_class WHERE relname = 'patient'",
    "VALUES (1, 'a'), (2, 'b')",
    "SELECT city FROM patient WHERE id = 3 UNION ALL SELECT city FROM patient WHERE id = 4",
    "EXPLAIN (COSTS OFF) SELECT city FROM patient WHERE id = 3",
    "SHOW server_version",
]


@pytest.mark.core
@pytest.mark.parametrize("statement", STATEMENTS)
def test_simple_protocol_equals_direct(site, statement):
    through = site.psql(statement + ";", "dana", "-At")
    direct = stack.psql(site.pg.url(), "-At", input=statement + ";")
    assert direct.returncode == 0, direct.stderr
    assert through.stdout == direct.stdout, through.stderr


@pytest.mark.core
@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("statement", [s for s in STATEMENTS if not s.startswith("EXPLAIN")])
def test_extended_protocol_equals_direct(site, statement, binary):
    def fetch(url):
        with psycopg.connect(url) as conn, conn.cursor(binary=binary) as cur:
            cur.execute(statement, ())
            return cur.fetchall()
    assert fetch(site.url()) == fetch(site.pg.url())


def year_shown(person):
    """45 CFR 164.514(b)(2)(i)(C): whoever may be over 89 is in one category."""
    return max(int(person["birth_date"][:4]), datetime.datetime.now(datetime.timezone.utc).year - 90)


@pytest.mark.core
@pytest.mark.parametrize("binary", [False, True])
def test_years_that_imply_an_age_over_89_leave_as_one(site, binary):
    shown = [year_shown(person) for person in site.people]
    assert any(str(year) != person["birth_date"][:4] for year, person in zip(shown, site.people)), "nobody is 90"
    with psycopg.connect(site.url()) as conn, conn.cursor(binary=binary) as cur:
        cur.execute("SELECT birth_date FROM patient ORDER BY id")
        assert [row[0] for row in cur] == [datetime.date(year, 1, 1) for year in shown]


@pytest.mark.core
def test_masks_are_applied_and_told(site):
    person = site.people[0]
    got = site.psql("SELECT id, mrn, last_name, birth_date, zip, city FROM patient WHERE id = 1;", "dana", "-At")
    assert got.returncode == 0, got.stderr
    id_, mrn, last_name, birth, zip_, city = got.stdout.strip().split("|")
    assert (id_, city) == ("1", person["city"])
    assert re.fullmatch(r"MRN-[0-9A-Z]{20,}", mrn)
    assert last_name == "▒▒▒▒▒"
    assert birth == f"{year_shown(person)}-01-01"
    assert zip_.strip() == ("000" if person["zip"][:3] == "036" else person["zip"][:3])
    assert "4 columns masked:" in got.stderr and "mrn (pseudonym)" in got.stderr
    assert "session s-" in got.stderr


@pytest.mark.core
@pytest.mark.parametrize("binary", [False, True])
def test_masks_in_both_formats(site, binary):
    with psycopg.connect(site.url()) as conn, conn.cursor(binary=binary) as cur:
        cur.execute("SELECT mrn, last_name, birth_date, ssn, notes FROM patient WHERE id = %s", (1,))
        mrn, last_name, birth, ssn, notes = cur.fetchone()
    assert mrn.startswith("MRN-") and last_name == "▒▒▒▒▒" and birth.isoformat().endswith("-01-01")
    assert ssn.startswith("▒▒▒▒▒") and notes is None


@pytest.mark.core
def test_pseudonyms_join(site):
    got = site.psql("SELECT p.mrn, e.patient_mrn FROM patient p JOIN encounter e ON e.patient_id = p.id "
                    "WHERE p.id = 7;", "dana", "-At")
    pairs = [line.split("|") for line in got.stdout.split()]
    assert pairs and all(a == b and a.startswith("MRN-") for a, b in pairs), got.stderr


def test_views_inherit_masks(site):
    got = site.psql("SELECT mrn, last_name, city FROM patient_directory WHERE id = 1;", "dana", "-At")
    mrn, last_name, city = got.stdout.strip().split("|")
    assert mrn.startswith("MRN-") and last_name == "▒▒▒▒▒" and city == site.people[0]["city"]


def test_psycopg2(site):
    with psycopg2.connect(site.url()) as conn, conn.cursor() as cur:
        cur.execute("SELECT id, last_name FROM patient WHERE id = %s", (2,))
        assert cur.fetchone() == (2, "▒▒▒▒▒")


@pytest.mark.core
def test_masked_is_readable_in_band(site):
    got = site.psql("SELECT mrn FROM patient WHERE id = 1;\nSHOW chaperone.masked;\n", "dana", "-At")
    assert got.stdout.strip().splitlines()[-1] == "patient.mrn (pseudonym)"
    with psycopg.connect(site.url()) as conn:
        conn.execute("SELECT ssn FROM patient WHERE id = 1")
        assert conn.execute("SHOW chaperone.masked").fetchone() == ("patient.ssn (redact)",)
        conn.execute("SET chaperone.purpose = 'treatment'")
        assert conn.execute("SHOW chaperone.purpose").fetchone() == ("treatment",)


def test_meta_commands_of_psql(site):
    for command in (r"\d", r"\dt", r"\d patient", r"\d+ patient_directory", r"\dn", r"\du", r"\df", r"\l", r"\di",
                    r"\dT", r"\dp patient", r"\conninfo", r"\encoding", r"\dx", r"\dv"):
        got = site.psql(command + "\n")
        assert got.returncode == 0 and "ERROR" not in got.stderr, (command, got.stderr)


def test_agents_and_services_sign_in_with_a_token(site):
    got = site.psql("SELECT city FROM patient WHERE id = 1;", "ai-triage", "-At")
    assert got.stdout.strip() == site.people[0]["city"], got.stderr
    client = wire.Client(site.gate.port, "dana", site.tokens["dana"])  # a person's token works as the password
    assert wire.rows(client.query("SELECT 1")) == [[b"1"]]
    client.close()


@pytest.mark.core
def test_wrong_password_and_unknown_user_look_the_same(site):
    def refusal(user, password):
        with pytest.raises(PermissionError) as caught:
            wire.Client(site.gate.port, user, password)
        return {k: v for k, v in caught.value.args[0].items() if k != "F"}
    wrong, nobody = refusal("dana", "wrong"), refusal("nobody-here", "wrong")
    assert wrong == nobody and wrong["C"] == "28P01" and "CHP-3301" in wrong["M"]


def test_nobody_without_a_role(site):
    with pytest.raises(PermissionError) as caught:
        site.wire("pat")
    assert "role" in caught.value.args[0]["M"]


@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
def test_pgbench(site, mode):
    script = site.folder / "lookup.sql"
    script.write_text("\\set id random(1, 250)\nSELECT id, city, last_name FROM patient WHERE id = :id;\n")
    done = subprocess.run(["/usr/lib/postgresql/15/bin/pgbench", "-n", "-M", mode, "-f", str(script), "-c", "4", "-j", "2",
                           "-t", "50", site.url()], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
    assert "number of transactions actually processed: 200/200" in done.stdout


@pytest.mark.core
def test_a_target_that_is_down_is_told_in_the_clients_protocol(site):
    with stack.temporary_folder() as folder:
        gate = stack.Gateway(folder / "gate", stack.free_port()).start()
        try:
            passwords, _ = gate.add_people()
            for _ in range(2):
                with pytest.raises(PermissionError) as caught:
                    wire.Client(gate.port, "dana", passwords["dana"])
                assert caught.value.args[0]["C"] == "57P03", caught.value.args[0]
            assert gate.cli("audit", "verify", check=False).returncode == 0
            assert "signal" not in gate.log_text()
        finally:
            gate.stop()
