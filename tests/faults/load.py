"""A gateway under faults: a short load that uses everything, and what must hold after whatever befell it.

Whatever a client saw is in the verified record; what ran is in it, too; nothing masked and nothing unapproved gets
out; nobody hangs; the gateway is ready again; no process ends but the one that was hit."""
import contextlib
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "demo"), str(ROOT / "tests/e2e"), str(ROOT / "tests/faults")]

import patients  # noqa: E402
import stack  # noqa: E402
import wire  # noqa: E402
from plan import Plan  # noqa: E402

PATIENTS, HANG_S, READY_S, HOLD_S = 200, 5.0, 5.0, 3
ENDED = re.compile(r"(keeper|worker|console) \d+ \(pid (\d+)\) (by signal|with status) (\d+)")
GONE = (OSError, wire.ServerClosed, PermissionError)


class Site:
    """A target, and gateways that are preloaded; a new gateway when one did not get well again."""

    def __init__(self, folder, **settings):
        self.folder, self.settings, self.count = pathlib.Path(folder), settings, 0
        self.people = list(patients.people(PATIENTS))
        self.pg = stack.Postgres(self.folder / "pg").start()
        self.pg.make_database(patients.sql(PATIENTS))
        self.gate = None
        self.renew()

    def renew(self):
        self.end_gateway()
        self.count += 1
        settings = {"workers": 1, "hold": f"{HOLD_S}s", "when": ", tables: [patient]", **self.settings}
        self.gate = stack.Gateway(self.folder / f"gate{self.count}", self.pg.port, **settings)
        self.plan = Plan(self.gate.folder)
        self.gate.environment = self.plan.environment()
        self.gate.start()
        self.passwords, self.tokens = self.gate.add_people()

    def end_gateway(self):
        if self.gate:
            self.plan.disarm()
            self.gate.stop()
            self.plan.close()
            self.gate = None

    def close(self):
        self.end_gateway()
        self.pg.stop()


class Witness:
    """One session: what it was told, how long it waited at most."""

    def __init__(self, site, marker):
        self.site, self.marker = site, marker
        self.session, self.cells, self.seen, self.longest = None, [], b"", 0.0
        self.refused_ran, self.held_ran, self.errors = False, False, []

    @contextlib.contextmanager
    def timed(self, allowed=0.0):
        started = time.monotonic()
        try:
            yield
        finally:
            self.longest = max(self.longest, time.monotonic() - started - allowed)

    def run(self):
        """Until the end, or until it is put out."""
        client = None
        try:
            with self.timed():
                client = wire.Client(self.site.gate.port, "dana", self.site.passwords["dana"], timeout=HANG_S + 2)
            self.session = client.parameters["chaperone.session"]
            self.talk(client)
        except GONE as gone:
            self.errors.append(gone)
        finally:
            if client:
                self.seen = bytes(client.seen)
                client.close()

    def ask(self, client, *data):
        with self.timed():
            got = client.ask(*data)
        self.cells += [cell for row in wire.rows(got) for cell in row if cell]
        self.errors += wire.errors(got)
        if wire.status(got) is None:
            raise wire.ServerClosed()
        return got

    def talk(self, client):
        self.ask(client, wire.query("SELECT id, city, last_name, mrn, birth_date FROM patient WHERE id < 20"))
        self.ask(client, wire.parse("SELECT id, city, ssn FROM patient WHERE id = $1", types=[23]), wire.bind([7]),
                 wire.describe(), wire.execute(), wire.SYNC)
        self.ask(client, wire.query(f"UPDATE encounter SET department = '{self.marker}' WHERE id = 3"))
        refused = self.ask(client, wire.query("DELETE FROM encounter"))
        self.refused_ran = "C" in wire.tags(refused)
        self.held(client, f"UPDATE patient SET city = '{self.marker}' WHERE id = 5")

    def held(self, client, text):
        client.send(wire.query(text))
        with self.timed(HOLD_S):
            got = client.until("ZN")
            request = re.search(r"r-[0-9a-z]{10}", "".join(n["M"] for n in wire.notices(got)))
            if request:
                # Counts as fast as it is: an administrator's own command waits for nobody.
                self.approve(request.group())
            while got[-1][0] == "N":
                got += client.until("ZN")
        self.held_ran = "C" in wire.tags(got)
        self.errors += wire.errors(got)

    def approve(self, request):
        with contextlib.suppress(OSError, RuntimeError):
            self.site.gate.cli("approve", request, token=self.site.tokens["pat"], check=False)


def whole(site):
    """Seconds until a person can sign in and read again; None: not within READY_S."""
    started = time.monotonic()
    while time.monotonic() < started + READY_S:
        with contextlib.suppress(*GONE, RuntimeError, subprocess.TimeoutExpired):
            if site.gate.is_ready():
                client = wire.Client(site.gate.port, "erin", site.passwords["erin"], timeout=2)
                got = client.query("SELECT city FROM patient WHERE id = 1")
                client.close()
                if wire.rows(got):
                    return time.monotonic() - started
        time.sleep(0.03)
    return None


def play(site, session):
    done = site.gate.cli("session", "play", session, token=site.tokens["pat"], check=False)
    return done.stdout if done.returncode == 0 else None


def played(site, session, wanted):
    """The record of a session, once it has all that is wanted or time is up."""
    end, shown = time.monotonic() + 3, None
    while True:
        shown = play(site, session) or shown
        if (shown is not None and all(w in shown for w in wanted)) or time.monotonic() > end:
            return shown
        time.sleep(0.1)


def judge(site, witness, log, killed=()):
    """What is wrong, in words; empty: nothing. `killed`: by the test itself."""
    wrong = []
    if witness.longest > HANG_S:
        wrong.append(f"a client waited {witness.longest:.1f} s")
    if witness.refused_ran:
        wrong.append("a refused statement ran")
    for person in site.people:
        for column in ("ssn", "mrn", "last_name", "phone", "email"):
            if person[column] and person[column].encode() in witness.seen:
                wrong.append(f"the client saw {column} of patient {person['id']}")
    hit, stopped = site.plan.at.fired_pid, "all processes have ended" in log
    for kind, pid, how, code in ENDED.findall(log):
        # Whoever was cut off by a process that was hit leaves in good order, with a status.
        if int(pid) in killed or how != "by signal":
            if kind == "keeper" and int(pid) not in (hit, *killed) and not stopped:
                wrong.append(f"the keeper ended {how} {code}")
            continue
        if int(pid) != hit:
            wrong.append(f"{kind} ended by signal {code}, and it was not hit")
        elif code not in ("9", "15") and not foreign(site.plan.modules()):
            wrong.append(f"{kind} crashed by signal {code}")
    return wrong


def foreign(modules):
    """A library's own call failed: libuv's way out is abort(), OpenSSL's may be worse."""
    own = [m for m in modules if not m.startswith("libc.")]
    return bool(own) and own[0] != "chaperone"


def check_record(site, witness):
    """Only once the gateway is well."""
    wrong = []
    ran = site.pg.value(f"SELECT (SELECT count(*) FROM encounter WHERE department = '{witness.marker}') || ' ' || "
                        f"(SELECT count(*) FROM patient WHERE city = '{witness.marker}')")
    wrote, approved = ran.split()
    if witness.session is None:
        return [] if ran == "0 0" else ["something ran without a session"]
    wanted = sorted({cell.decode(errors="replace") for cell in witness.cells})
    if wrote != "0":
        wanted.append(f"SET department = '{witness.marker}'")
    if approved != "0":
        wanted += [f"SET city = '{witness.marker}'", "approv"]
    shown = played(site, witness.session, wanted)
    if shown is None:
        return [f"session {witness.session} cannot be played"] if wanted else []
    for text in wanted:
        if text not in shown:
            wrong.append(f"not in the record of {witness.session}: {text}")
    if witness.held_ran and approved == "0":
        wrong.append("the client was told of a write that did not happen")
    return wrong


def verify(site):
    done = site.gate.cli("audit", "verify", check=False)
    return [] if done.returncode == 0 else [f"audit verify: {done.returncode} {done.stdout}{done.stderr}"]
