"""`chaperone explain`: what the gateway would say, without saying it to the database."""
import json

import pytest
import stack


def explain(site, sql, *args, token=None):
    done = site.gate.cli("explain", "ehr", "--sql", sql, *args, "--json", token=token, check=False)
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr


def leaves(found):
    return {o["name"]: (o["from"], o["leaves"]) for o in found["outputs"]}


def outcomes(found):
    return {o["step"]: o["outcome"] for o in found["order"]}


@pytest.mark.core
def test_allowed_with_masks(site):
    code, found, _ = explain(site, "SELECT mrn, last_name AS n, city, 1 AS one FROM patient WHERE id = 1",
                             token=site.tokens["dana"])
    assert code == 0 and found["verdict"] == "allow" and found["code"] is None
    assert (found["identity"], found["role"], found["resource"]) == ("dana", "clinician-analyst", "ehr")
    assert leaves(found) == {"mrn": ("patient.mrn", "pseudonym"), "n": ("patient.last_name", "redact"),
                             "city": ("patient.city", "clear"), "one": (None, "clear")}
    assert found["statements"] == [{"kind": "SELECT", "effects": ["read"]}]
    assert found["relations"] == [{"schema": "public", "name": "patient", "effects": ["read"]}]
    assert outcomes(found)["approval"] == "passed" and outcomes(found)["run"] == "follows"


@pytest.mark.core
def test_it_says_how_the_columns_leave_in_truth(site):
    _, found, _ = explain(site, "SELECT * FROM patient", token=site.tokens["dana"])
    got = site.psql("SELECT * FROM patient WHERE id = 1;\nSHOW chaperone.masked;\n", "dana", "-At")
    told = dict(part.rstrip(")").split(" (", 1) for part in got.stdout.strip().splitlines()[-1].split("), "))
    masked = {o["from"]: o["leaves"] + (", unclassified" if o["unclassified"] else "")
              for o in found["outputs"] if o["leaves"] != "clear"}
    assert masked == told


@pytest.mark.core
def test_refused_with_rule_and_caret(site):
    code, found, _ = explain(site, "DELETE FROM encounter", token=site.tokens["dana"])
    assert (code, found["verdict"], found["code"], found["rule"]) == (3, "deny", "CHP-3101", "no-unbounded-delete")
    assert found["position"] == 1 and found["outputs"] == [] and found["approval"] is None
    assert outcomes(found)["guardrail"] == "refused" and outcomes(found)["approval"] == "not reached"
    client = site.psql("DELETE FROM encounter;", "dana")
    assert found["message"].split("): ")[1] in client.stderr


def test_the_caret_stands_under_its_place(site):
    sql = "SELECT city\n  FROM patient\n WHERE upper(last_name) = 'É'"
    code, found, _ = explain(site, sql, token=site.tokens["dana"])
    assert (code, found["code"], found["position"]) == (3, "CHP-3113", sql.index("last_name") + 1), found
    shown = site.gate.cli("explain", "ehr", "--sql", sql, token=site.tokens["dana"], check=False)
    lines = shown.stdout.splitlines()
    assert lines[0] == f"REFUSED  CHP-3113  rule {found['rule']}" and found["message"] in lines
    at = lines.index("   WHERE upper(last_name) = 'É'")
    assert lines[at + 1].index("^") == lines[at].index("last_name")


def test_a_text_that_does_not_parse(site):
    code, found, _ = explain(site, "SELECT é FROM WHERE", token=site.tokens["dana"])
    assert (code, found["code"], found["position"]) == (3, "CHP-3103", len("SELECT é FROM ") + 1)
    assert outcomes(found)["understood"] == "refused" and found["statements"] == []


def test_a_relation_that_does_not_exist_and_one_that_was_just_made(site):
    code, found, _ = explain(site, "SELECT 1 FROM just_made", token=site.tokens["dana"])
    assert (code, found["code"]) == (3, "CHP-3103") and outcomes(found)["understood"] == "refused"
    site.pg.sql("CREATE TABLE just_made (x int)")
    code, found, _ = explain(site, "SELECT x FROM just_made", token=site.tokens["dana"])
    site.pg.sql("DROP TABLE just_made")
    assert code == 0, found


@pytest.mark.core
def test_held(site):
    before = site.pg.value("SELECT phone FROM patient WHERE id = 1")
    asked = len(site.gate.json("request", "ls")["items"])
    code, found, _ = explain(site, "UPDATE patient SET phone = '512-555-0199' WHERE id = 1",
                             token=site.tokens["dana"])
    assert (code, found["verdict"], found["rule"]) == (5, "hold", "writes-on-phi"), found
    assert found["approval"]["group"] == "privacy-office" and found["approval"]["count"] == 1
    assert found["approval"]["valid_ms"] == 15 * 60000 and found["approval"]["ticket"] is False
    assert "privacy-office" in found["message"] and "512-555-0199" not in json.dumps(found)
    assert outcomes(found)["approval"] == "holds" and outcomes(found)["run"] == "not reached"
    assert site.pg.value("SELECT phone FROM patient WHERE id = 1") == before
    assert len(site.gate.json("request", "ls")["items"]) == asked


@pytest.mark.core
def test_an_administrator_asks_for_anybody_and_it_is_recorded(site):
    def written_down():
        site.gate.cli("audit", "checkpoint")
        return site.gate.cli("audit", "tail", "--lines", "10000").stdout.count("admin.access")
    before = written_down()  # each checkpoint is one itself
    assert explain(site, "SELECT 1", token=site.tokens["dana"])[0] == 0
    assert written_down() == before + 1
    code, found, _ = explain(site, "UPDATE patient SET phone = '1' WHERE id = 1", "--as", "ai-triage")
    assert written_down() == before + 3
    assert (code, found["identity"], found["kind"], found["role"]) == (5, "ai-triage", "agent", "ai-triage")
    assert found["approval"]["ticket"] is True and found["code"] == "CHP-3202"
    code, _, said = explain(site, "SELECT 1")
    assert code == 2 and "--as" in said
    code, _, said = explain(site, "SELECT 1", "--as", "nobody-here")
    assert code == 2 and "nobody-here" in said


@pytest.mark.core
def test_a_person_asks_for_themself_only(site):
    code, found, said = explain(site, "SELECT 1", "--as", "erin", token=site.tokens["dana"])
    assert code == 3 and found is None and "only administrators" in said
    code, _, said = explain(site, "SELECT 1", "--as", "nobody-here", token=site.tokens["dana"])
    assert code == 3 and "only administrators" in said  # nothing is told about who exists
    code, found, _ = explain(site, "SELECT 1", "--as", "dana", token=site.tokens["dana"])
    assert code == 0 and found["identity"] == "dana"


@pytest.mark.core
def test_without_a_role_nothing_is_told_about_the_schema(site):
    told = []
    for sql in ("SELECT mrn FROM patient", "SELECT x FROM no_such_table", "CREATE TABLE y (); SELECT 1 FROM patient",
                "syntax error"):
        code, found, _ = explain(site, sql, token=site.tokens["pat"])
        assert (code, found["role"], found["rule"], found["code"]) == (3, None, "no-role", "CHP-3102")
        assert found["statements"] == found["relations"] == found["outputs"] == []
        assert outcomes(found)["identity"] == "refused" and outcomes(found)["understood"] == "not reached"
        told.append(found)
    assert all(found == told[0] for found in told)


def test_usage(site):
    for args in (("nowhere", "--sql", "SELECT 1"), ("ehr",), ("ehr", "--sql", ""), ("--sql", "SELECT 1")):
        assert site.gate.cli("explain", *args, token=site.tokens["dana"], check=False).returncode == 2, args


def test_what_was_prepared_elsewhere_is_unknown(site):
    code, found, _ = explain(site, "EXECUTE something", token=site.tokens["dana"])
    assert (code, found["code"]) == (3, "CHP-5503") and outcomes(found)["message"] == "refused"
    code, found, _ = explain(site, "SHOW chaperone.masked", token=site.tokens["dana"])
    assert code == 0


def test_controls_do_not_reach_the_terminal(site):
    done = site.gate.cli("explain", "ehr", "--sql", "SELECT '\x1b[31m', \x1b]", token=site.tokens["dana"], check=False)
    assert done.returncode == 3 and "\x1b" not in done.stdout


def test_a_target_that_is_not_there():
    with stack.temporary_folder() as folder:
        gate = stack.Gateway(folder / "gate", stack.free_port()).start()
        try:
            gate.add_people()
            done = gate.cli("explain", "ehr", "--sql", "SELECT 1", "--as", "dana", check=False)
            assert done.returncode == 7 and "CHP-5101" in done.stderr
        finally:
            gate.stop()
