"""config diff: what would change if a file were loaded, told before, and true afterwards."""
import json

import psycopg
import pytest
import stack


@pytest.fixture
def gate(site):
    text = site.gate.config.read_text()
    yield site
    site.gate.config.write_text(text)
    site.gate.cli("reload")


def changed(site, *pairs):
    text = site.gate.config.read_text()
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    path = site.gate.folder / "next.yaml"
    path.write_text(text)
    return path


def diff(site, path, status=1):
    done = site.gate.cli("config", "diff", str(path), "-o", "json", check=False)
    assert done.returncode == status, done
    return json.loads(done.stdout)


def of(found, identity):
    return [e for row in found["people"] if row["identity"] == identity for e in row["effects"]]


def test_no_difference(site):
    done = site.gate.cli("config", "diff")
    assert done.stdout == "no difference\n"
    found = diff(site, site.gate.config, 0)
    assert found["same"] and not any(found[k] for k in ("settings", "needs_restart", "people", "sessions"))


def test_comments_and_defaults_are_no_difference(site):
    path = changed(site, ("version: 1\n", "# rewritten\nversion: 1\nlimits: {row: 1MiB}\n"))
    assert diff(site, path, 0)["same"]


SETTINGS = {
    "predicates": (("predicates: equality", "predicates: any"),
                   [("roles[clinician-analyst].predicates", "equality", "any")]),
    "a guardrail less": (("  - {name: no-ddl,", "  - {name: no-ddl-2,"), None),
    "hold": (("hold_default: 10m", "hold_default: 9m"), [("gateway.hold_default", 600000, 540000)]),
}


@pytest.mark.parametrize("what", SETTINGS)
def test_settings_by_path(site, what):
    pair, expected = SETTINGS[what]
    found = diff(site, changed(site, pair))["settings"]
    rows = [(r["path"], r.get("old"), r.get("new")) for r in found]
    if expected:
        assert rows == expected, rows
    else:
        assert [(p, o is None, n is None) for p, o, n in rows] == [("guardrails[no-ddl]", False, True),
                                                                   ("guardrails[no-ddl-2]", True, False)]


EFFECTS = [
    # edit, whom it touches, in which words; nobody else's line may speak of it
    ([("predicates: equality", "predicates: any")], {"dana", "erin"}, "protected columns in conditions"),
    ([('members: ["agent:ai-triage"]', "members: []")], {"ai-triage"}, "loses access: was ai-triage"),
    ([('members: ["group:local/clinical"]', 'members: ["group:local/clinical", "user:pat"]')], {"pat"},
     "gains access: as clinician-analyst"),
    ([("method: year", "method: redact")], {"dana", "erin", "ai-triage"}, "columns leave otherwise: masking analyst"),
    ([("name: no-ddl,", "name: none-of-it,")], {"dana", "erin", "ai-triage"}, "guardrail no-ddl is gone"),
    ([("where: absent", "where: present")], {"dana", "erin", "ai-triage"}, "guardrail no-unbounded-delete refuses other"),
    ([("effects: [write]", "effects: [read]")], {"dana", "erin", "ai-triage"}, "approval writes-on-phi holds other"),
    ([("name: writes-on-phi", "name: other")], {"dana", "erin", "ai-triage"}, "approval other is new: what it matches is held"),
    ([("hour: 1024GiB", "hour: 1GiB")], {"dana", "erin", "ai-triage"}, "budget: "),
    ([('review: {resources: ["*"]}, ', "")], {"pat", "kim"}, "may watch sessions of others: no more"),
    ([('phi: "yes"}\nroles', 'phi: "no"}\nroles')], {"dana", "erin", "ai-triage"}, "resource is no PHI"),
]


@pytest.mark.parametrize("edits, whom, words", EFFECTS)
def test_whom_it_touches(site, edits, whom, words):
    found = diff(site, changed(site, *edits))
    assert {row["identity"] for row in found["people"] if any(words in e for e in row["effects"])} == whom, found["people"]


def test_for_people_to_read(site):
    path = changed(site, ("predicates: equality", "predicates: any"), ("workers: 2", "workers: 3"))
    done = site.gate.cli("config", "diff", str(path), check=False)
    assert done.returncode == 1
    assert '~ roles[clinician-analyst].predicates: "equality" → "any"' in done.stdout
    assert "gateway.workers: only a start can change it" in done.stdout
    assert "dana on ehr: role clinician-analyst: protected columns in conditions" in done.stdout


def test_what_it_says_of_sessions_is_what_a_reload_does(gate):
    """Told first, then done."""
    with psycopg.connect(gate.url("dana")) as dana, psycopg.connect(gate.url("ai-triage")) as agent:
        dana.execute("SELECT 1")
        agent.execute("SELECT 1")
        path = changed(gate, ('members: ["agent:ai-triage"]', "members: []"))
        told = {row["user"]: row["outcome"] for row in diff(gate, path)["sessions"]}
        assert told == {"dana": "judged anew", "ai-triage": "cut"}
        gate.gate.config.write_text(path.read_text())
        gate.gate.cli("reload")
        assert diff(gate, gate.gate.config, 0)["same"]
        with pytest.raises(psycopg.OperationalError):
            agent.execute("SELECT 1")
        assert dana.execute("SELECT 1").fetchone() == (1,)


def test_what_needs_a_restart_is_what_a_reload_refuses(gate):
    text = gate.gate.config.read_text()
    for old, new, field in (("workers: 2", "workers: 1", "gateway.workers"),
                            (f"{gate.gate.folder}/state/journal", f"{gate.gate.folder}/state/journal2", "storage.journal")):
        path = changed(gate, (old, new))
        assert diff(gate, path)["needs_restart"] == [field]
        gate.gate.config.write_text(path.read_text())
        refused = gate.gate.cli("reload", check=False)
        assert refused.returncode != 0 and field in refused.stderr
        gate.gate.config.write_text(text)


def test_no_secret_and_nobody_but_administrators(site):
    path = changed(site, ("password: file:", "password: file:/elsewhere"))
    done = site.gate.cli("config", "diff", str(path), check=False)
    assert "credentials.password" in done.stdout and not any(s in done.stdout for s in site.secrets())
    refused = site.gate.cli("config", "diff", token=site.tokens["dana"], check=False)
    assert refused.returncode == 3 and refused.stdout == ""


def test_what_cannot_be_compared(site):
    path = site.gate.folder / "broken.yaml"
    path.write_text("version: 1\ngatway: {}\n")
    done = site.gate.cli("config", "diff", str(path), check=False)
    assert done.returncode == 2 and "did you mean `gateway`" in done.stderr
    assert site.gate.cli("config", "diff", "/nowhere.yaml", check=False).returncode == 2
    lonely = stack.ROOT / "nothing"
    path.write_text(site.gate.config.read_text().replace(f"{site.gate.folder}/admin.sock", f"{lonely}.sock"))
    assert site.gate.cli("config", "diff", "-c", str(path), check=False).returncode == 8


def test_a_large_file(site):
    """More than one message holds, with characters of several bytes and what JSON escapes."""
    filler = "".join(f"# {i} é▒𝄞 \\\" \n" if i % 2 else f"# {i} ................................\n" for i in range(9000))
    text = site.gate.config.read_text()
    site.gate.config.write_text(text + filler)
    try:
        site.gate.cli("reload")
        assert diff(site, site.gate.config, 0)["same"]
    finally:
        site.gate.config.write_text(text)
        site.gate.cli("reload")
