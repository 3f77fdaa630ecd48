"""Real drivers, directly and through the gateway: the same answers, but for masked cells.

Each driver is a program that runs the cases of cases.py. What was found is docs/reference/drivers.md, which is written
anew with DRIVERS_WRITE=1 and compared otherwise, when every driver is installed.
"""
import contextlib
import importlib.util
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import threading
import time
import urllib.parse

import cases
import patients
import pytest
import stack

HERE = pathlib.Path(__file__).resolve().parent
PAGE = stack.ROOT / "docs/reference/drivers.md"


def node():
    """Debian's packages are where Debian's node looks; for another node they have to be named."""
    where = os.pathsep.join([*os.environ.get("NODE_PATH", "").split(os.pathsep), "/usr/share/nodejs"])
    asks = ["node", "-e", "require.resolve('pg'); require.resolve('pg-cursor')"]  # there, whether or not it works
    env = {"NODE_PATH": where}
    if not shutil.which("node") or subprocess.run(asks, env={**os.environ, **env}, stderr=subprocess.DEVNULL).returncode:
        return None
    return ["node", str(HERE / "node_driver.js")], env


JAR = pathlib.Path("/usr/share/java/postgresql.jar")
BUILT = {}


def built(key, make):
    """What has to be compiled is, once."""
    if key not in BUILT:
        folder = tempfile.TemporaryDirectory(prefix="chaperone-")
        make(pathlib.Path(folder.name))
        BUILT[key] = folder
    return pathlib.Path(BUILT[key].name)


def jdbc():
    if not (JAR.exists() and shutil.which("javac")):
        return None
    folder = built("jdbc", lambda to: subprocess.run(["javac", "-d", to, HERE / "JdbcDriver.java"], check=True))
    return ["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", f"{folder}:{JAR}", "JdbcDriver"], {}


def go():
    """Debian's packages, without a network: GOPATH, or where it says they are."""
    path = os.environ.get("GOPATH", "/usr/share/gocode")
    if not shutil.which("go") or not pathlib.Path(path, "src/github.com/jackc/pgx/v4").exists():
        return None
    env = {**os.environ, "GO111MODULE": "off", "GOFLAGS": "", "GOPROXY": "off", "GOPATH": path}

    def make(to):
        subprocess.run(["go", "build", "-o", to / "go_driver", HERE / "go_driver.go"],
                       env={"GOCACHE": str(to / "cache"), **env}, check=True)
    return [str(built("go", make) / "go_driver")], {}


def by_lines(options):
    """The JDBC program reads a step a line, so that it needs no JSON of its own."""
    escape = lambda word: str(word).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")  # noqa: E731
    value = lambda v: ("s:" if isinstance(v, str) else "i:") + str(v)  # noqa: E731

    def words(name, *args):
        if name == "query":
            args = [args[0], *map(value, args[1] if len(args) > 1 else [])]
        elif name == "repeat":
            args = [args[0], *(value(v[0]) for v in args[1])]
        elif len(args) > 1:
            args = [args[0], *map(value, args[1:])]
        return "\t".join(map(escape, [name, *args]))

    def write(asked):
        at, lines = asked["at"], []
        for case in asked["cases"]:
            url = f"jdbc:postgresql://{at['host']}:{at['port']}/{at['database']}?{options}"
            lines += [words("open", url) + f"\t{at['user']}\t{at['password']}", *(words(*s) for s in case["steps"])]
        return "\n".join(lines) + "\n"

    def read(asked, text):
        told, lines = {}, iter([json.loads(line) for line in text.splitlines()])
        for case in asked["cases"]:
            opened = next(lines)
            steps = [next(lines) for _ in case["steps"]]
            told[case["name"]] = {"failed": opened["error"]} if "error" in opened else steps
        return told
    return write, read


def python(*modules):
    missing = [m for m in modules if importlib.util.find_spec(m) is None]
    return (["/usr/bin/python3", str(HERE / "python_driver.py")], {}) if not missing else None


JDBC = "libpostgresql-jdbc-java, default-jdk-headless"
AS_JSON = (json.dumps, lambda asked, text: json.loads(text))
DRIVERS = {
    # name: (how to run it or None where it is not installed, Debian packages[, how it is told and tells])
    "psql": (lambda: python("json"), "postgresql-client-15"),
    "psycopg": (lambda: python("psycopg"), "python3-psycopg"),
    "psycopg2": (lambda: python("psycopg2"), "python3-psycopg2"),
    "asyncpg": (lambda: python("asyncpg"), "python3-asyncpg"),
    "sqlalchemy-psycopg2": (lambda: python("sqlalchemy", "psycopg2"), "python3-sqlalchemy"),
    "sqlalchemy-asyncpg": (lambda: python("sqlalchemy", "asyncpg"), "python3-sqlalchemy, python3-asyncpg"),
    "django": (lambda: python("django", "psycopg2"), "python3-django"),
    "node-pg": (node, "node-pg"),
    "jdbc simple": (jdbc, JDBC, by_lines("preferQueryMode=simple")),
    "jdbc extended": (jdbc, JDBC, by_lines("preferQueryMode=extended")),
    "jdbc prepared": (jdbc, JDBC, by_lines("prepareThreshold=1")),
    "jdbc autosave": (jdbc, JDBC, by_lines("autosave=always")),
    "lib-pq": (go, "golang-go, golang-github-lib-pq-dev"),
    "pgx": (go, "golang-go, golang-github-jackc-pgx-v4-dev"),
    "odbc": (lambda: python("pyodbc"), "odbc-postgresql, python3-pyodbc"),
    "odbc 7.4-0": (lambda: python("pyodbc"), "odbc-postgresql, python3-pyodbc"),
}
# What differs, and why that is right or known. Anything else fails the test.
OWN_SAVEPOINT = ("psqlODBC sends a SAVEPOINT of its own in one message with the statement; the message is refused whole, so "
                 "the driver finds no savepoint and ends the transaction, where an error of the server would only have "
                 "undone the statement. `Protocol=7.4-0` is as with the others.")
KNOWN = {("odbc", "refused"): OWN_SAVEPOINT, ("odbc", "savepoint"): OWN_SAVEPOINT}


# What a driver does not have, although its program runs the case's statements.
TEXT_ONLY = ("psql", "psycopg2", "sqlalchemy-psycopg2", "django", "jdbc simple", "jdbc extended", "jdbc autosave", "lib-pq",
             "odbc", "odbc 7.4-0")
UNPREPARED = ("sqlalchemy-psycopg2", "django", "jdbc simple")


class Site:
    def __init__(self, folder):
        self.pg = stack.Postgres(folder / "pg").start()
        self.pg.make_database(patients.sql(250))
        self.pg.sql(cases.SCHEMA)
        self.people = list(patients.people(250))
        self.gate = stack.Gateway(folder / "gate", self.pg.port, when=", tables: [patient]",
                                  clear=', "kinds.*", "mood.*"').start()
        self.passwords, self.tokens = self.gate.add_people()
        self.folder, self.ended = folder, threading.Event()
        self.answering = threading.Thread(target=self.answer)
        self.answering.start()

    def at(self, leg, user="dana"):
        who, word, port = {"direct": ("gate_ehr", stack.GATE_PASSWORD, self.pg.port),
                           "gateway": (user, self.passwords.get(user) or self.tokens[user], self.gate.port)}[leg]
        return {"host": "127.0.0.1", "port": port, "user": who, "password": word, "database": "ehr",
                "url": f"postgresql://{who}:{urllib.parse.quote(word)}@127.0.0.1:{port}/ehr"}

    def answer(self):
        """pat answers what waits, by the word in its text."""
        while not self.ended.wait(0.3):
            with contextlib.suppress(RuntimeError, OSError, ValueError):
                for request in self.gate.json("approvals", token=self.tokens["pat"])["items"]:
                    text = str(request["what"])
                    if "approve-" in text:
                        self.gate.cli("approve", request["id"], token=self.tokens["pat"])
                    elif "deny-" in text:
                        self.gate.cli("deny", request["id"], "--reason", "not today", token=self.tokens["pat"])

    def close(self):
        self.ended.set()
        self.answering.join()
        self.gate.stop()
        self.pg.stop()


@pytest.fixture(scope="module")
def site():
    with stack.temporary_folder() as folder:
        made = Site(folder)
        try:
            yield made
        finally:
            made.close()


TRIED, FOUND = [], {}


def run(driver, at, steps):
    command, env = DRIVERS[driver][0]()
    write, read = (*DRIVERS[driver], AS_JSON)[2]
    asked = {"driver": driver, "at": at, "cases": [{"name": n, "steps": s} for n, s in steps.items()]}
    done = subprocess.run(command, input=write(asked), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=180, env={**os.environ, "TZ": "UTC", **env})
    assert done.returncode == 0, done.stdout + done.stderr
    told = read(asked, done.stdout)
    # A case that could not be run at all has one step, which failed.
    return {name: got if isinstance(got, list) else [{"error": got["failed"]}] * 2 for name, got in told.items()}


def inserted(site, n, leg):
    first = 700000 + 100 * n + (50 if leg == "direct" else 0)
    return site.pg.value(f"SELECT coalesce(string_agg((id - {first})::text, ' ' ORDER BY id), '') FROM encounter "
                         f"WHERE id >= {first} AND id < {first + 50}")


def held_cases(site, driver, n, told):
    """name → empty, "none" where the driver has no such thing, or what is wrong."""
    phone = lambda: site.pg.value(f"SELECT phone FROM patient WHERE id = {n}")  # noqa: E731
    got = run(driver, site.at("gateway"), cases.held(n))
    told.update(got)
    alive = lambda name: "" if "42" in str(got[name][1]) else f"the connection is lost: {got[name]}"  # noqa: E731
    found = {"approved": alive("approved") or ("" if got["approved"][0] == {"count": 1} and phone().startswith("approve-")
                                               else str(got["approved"])),
             "denied": alive("denied") or ("" if "denied by pat" in cases.error(got["denied"], 0) and
                                           "not today" in cases.error(got["denied"], 0) else str(got["denied"]))}
    for name in ("withdrawn", "timeout"):
        found[name] = "none" if got[name][0] == {} else "" if cases.error(got[name], 0) else str(got[name])
    if found["withdrawn"] == "":
        found["withdrawn"] = alive("withdrawn")
    stack.wait_for(lambda: not site.gate.json("approvals", token=site.tokens["pat"])["items"], 10)  # withdrawn, all
    return found


def ticket(site, driver, n):
    """An agent does not wait: it gets a request's id, and may ask again once it is answered."""
    text = cases.TICKET.format(n=n)
    ask = lambda count: run(driver, site.at("gateway", "ai-triage"), {"t": [["query", text]] * count})["t"]  # noqa: E731
    first = cases.error(ask(1), 0)
    request = re.search(r"approval needed: request (r-\w{10})", first)
    if not request:
        return first
    site.gate.cli("approve", request.group(1), token=site.tokens["pat"])
    ran, again = ask(2)
    other = re.search(r"r-\w{10}", again.get("error", ""))
    if ran != {"count": 1} or not other or other.group(0) == request.group(1):
        return f"{ran}, {again}"
    site.gate.cli("deny", other.group(0), "--reason", "done already", token=site.tokens["pat"])
    return ""


def compare(site, driver, n):
    gateway = run(driver, site.at("gateway"), cases.shared("gateway", n))
    direct = run(driver, site.at("direct"), cases.shared("direct", n))
    found = {}
    for name, through in gateway.items():
        same = cases.without_errors(through) == cases.without_errors(direct[name])
        found[name] = "" if same else f"{through}\n  directly: {direct[name]}"
        if isinstance(direct[name], list) and direct[name][0] == {} and name in ("nested", "cancel", "metadata", "binary"):
            found[name] = "none"
    for name, drivers in (("binary", TEXT_ONLY), ("prepared", UNPREPARED)):
        found[name] = "none" if not found[name] and driver in drivers else found[name]
    if isinstance(gateway["masked"], list):
        found["masked"] = cases.masks_hold(gateway["masked"], direct["masked"], site.people)
    rows, direct_rows = inserted(site, n, "gateway"), inserted(site, n, "direct")
    if ("0" in rows) != ("0" in direct_rows):
        found["refused"] += f"committed: {rows}, directly {direct_rows}"
    more = set(rows.split()) - set(direct_rows.split())
    found["no row too many"] = f"rows {more} are only there through the gateway" if more else ""  # never a KNOWN one
    if rows != direct_rows:
        found["savepoint"] += f"rows {rows}, directly {direct_rows}"
    found["one line"] = "" if cases.one_line(cases.error(gateway["refused"], 2)) else cases.error(gateway["refused"], 2)
    if "cancel" in found and not found["cancel"] and not cases.error(gateway["cancel"], 0):
        found["cancel"] = f"ran to its end: {gateway['cancel']}"
    return found


LIGHT = ("psql", "psycopg", "psycopg2", "asyncpg", "sqlalchemy-psycopg2", "sqlalchemy-asyncpg", "django")


@pytest.mark.parametrize("driver", [pytest.param(d, marks=[] if d in LIGHT else [pytest.mark.heavy]) for d in DRIVERS])
def test_driver(site, driver):
    if DRIVERS[driver][0]() is None:
        assert driver not in LIGHT, f"{driver} is not installed, and ./dev check installs it: {DRIVERS[driver][1]}"
        pytest.skip(f"{driver} is not installed: {DRIVERS[driver][1]}")
    TRIED.append(driver)
    n = 20 + list(DRIVERS).index(driver)
    told = {}
    found = compare(site, driver, n)
    found.update(held_cases(site, driver, n, told))
    found["ticket"] = ticket(site, driver, n)
    FOUND[driver] = found
    wrong = {name: what for name, what in found.items()
             if what not in ("", "none") and (driver, name) not in KNOWN}
    assert not wrong, "\n".join(f"{name}: {what}" for name, what in wrong.items())


def page():
    """docs/reference/drivers.md as it has to be."""
    notes, rows = [], []
    for driver, found in FOUND.items():
        cells = []
        for name in cases.COLUMNS:
            cell = {"": "yes", "none": "–"}.get(found.get(name, "none"))
            if cell is None:
                note = KNOWN[driver, name]
                notes += [] if note in notes else [note]
                cell = f"[{notes.index(note) + 1}]"
            cells.append(cell)
        rows.append(f"| {driver} | " + " | ".join(cells) + " |")
    head = "| | " + " | ".join(cases.COLUMNS.values()) + " |\n|---" + "|---" * len(cases.COLUMNS) + "|"
    words = "".join(f"[{n}] {note}\n\n" for n, note in enumerate(notes, 1))
    packages = "".join(f"* {driver}: {what[1]}\n" for driver, what in DRIVERS.items())
    return INTRODUCTION + head + "\n" + "\n".join(rows) + "\n\n" + words + LEGEND + packages


INTRODUCTION = """\
# Drivers

Made by `tests/drivers/test_drivers.py` (`./dev check --full drivers`), from what Debian 12 packages. Every driver is asked
the same directly and through the gateway; *yes* says that the answers were the same, but for masked cells, and that
what was to be refused or held was. – is what a driver (or its program here) does not have.

"""
LEGEND = """\
*values* compares 14 types, NULL among them, and two bound values; *binary* the same where results are asked for in the
binary format. *prepared* is PREPARE and EXECUTE with psql and psycopg2.
*refused, COMMIT*: INSERT, a refused DELETE and COMMIT in a transaction: the server has no row (with JDBC's
`autosave=always`: the row, as after an error of the server), and the connection goes on. *savepoint*: back to it after a
refusal, then COMMIT. *own nesting*: Django's `atomic()` and `save()`, `conn.transaction()`, `begin_nested()`. *one line*:
the exception's own text has the rule, the fact, what next and the decision's id. *cancel*: the driver's own, of a running
statement. *held, timeout*: the driver's own deadline ends the wait; node's and pgx's give the connection up with it.
`statement_timeout` is the server's and does not run while a statement is held. *pool reset*: what the driver's pool sends
between two borrowers, or DISCARD ALL. *metadata*: the driver's own questions about tables, columns, keys and types; of a
masked column the type's modifier is not told (`varchar`, not `varchar(12)`), since a mask keeps no length.

Also tested, elsewhere: pgbench in all modes (`tests/e2e/test_clients.py`); what pgAdmin and Metabase ask of the catalogue
(`tests/e2e/test_metadata.py`); Alembic and a Flyway-like migration, refused whole (`tests/drivers/test_migrations.py`).
Not tested: psqlODBC's isql, .NET, Ruby, Rust, a migration that policy allows.

"""


def test_the_page_says_what_was_found():
    broken = [driver for driver in TRIED if driver not in FOUND]
    assert not broken, f"could not be run to their end: {', '.join(broken)}"
    missing = [driver for driver in DRIVERS if driver not in TRIED]
    if missing:
        pytest.skip(f"not all drivers ran, so docs/reference/drivers.md is not compared: {', '.join(missing)}")
    if os.environ.get("DRIVERS_WRITE") == "1":
        PAGE.write_text(page())
    assert PAGE.read_text() == page(), "run it again with DRIVERS_WRITE=1"
