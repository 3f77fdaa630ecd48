#!/usr/bin/python3
"""./dev demo [--once]: a private PostgreSQL with synthetic patients, chaperone in front, the story told.

Walks it once with real psql, verifies the record, prints the line to try oneself and stays up until
Ctrl-C. With --once it ends after the walk; the exit status says whether every step did what it should.
"""
import argparse
import re
import subprocess
import sys
import time

import patients
import stack

BOLD, DIM, PLAIN = ("\033[1m", "\033[2m", "\033[0m") if sys.stdout.isatty() else ("", "", "")
PEOPLE = 250


class Story:
    def __init__(self, gate, passwords, tokens):
        self.gate, self.passwords, self.tokens = gate, passwords, tokens
        self.failed = []

    def title(self, text):
        print(f"\n{BOLD}── {text}{PLAIN}")

    def expect(self, what, holds):
        print(f"   {'ok' if holds else 'NOT SO'}: {what}")
        if not holds:
            self.failed.append(what)

    def command(self, line):
        print(f"{DIM}$ {line}{PLAIN}")

    def psql(self, user, text, *args):
        self.command(f'psql "postgresql://{user}@127.0.0.1:{self.gate.port}/ehr" -c "{text}"')
        done = stack.psql(self.gate.url(user, self.passwords.get(user) or self.tokens[user]), *args, "-c", text)
        print((done.stdout + done.stderr).rstrip())
        return done.stdout + done.stderr

    def cli(self, *args, who=None):
        self.command("chaperone " + " ".join(args) + (f"      # as {who}" if who else ""))
        done = self.gate.cli(*args, token=who and self.tokens[who], check=False)
        print((done.stdout + done.stderr).rstrip())
        return done


def masked_read(story, people):
    story.title("1. A masked read: dana, a clinician, with an unchanged psql")
    seen = story.psql("dana", "SELECT id, mrn, last_name, birth_date, zip, city FROM patient ORDER BY id LIMIT 3")
    story.expect("names, record numbers, days and ZIP codes are masked, the city is clear",
                 "MRN-" in seen and "▒▒▒▒▒" in seen and people[0]["city"] in seen)
    story.expect("no real value came out", not any(p[c] in seen for p in people for c in ("mrn", "ssn", "last_name")))
    seen = story.psql("dana", "SELECT upper(ssn) FROM patient")
    story.expect("what is computed from a protected column is refused, with the next step",
                 "chaperone refused" in seen and "select the column directly" in seen)


def blocked_delete(story, pg):
    story.title("2. A blocked statement")
    before = pg.value("SELECT count(*) FROM encounter")
    seen = story.psql("dana", "DELETE FROM encounter")
    story.expect("refused by rule, with reason, next step and id", "rule no-unbounded-delete, d-" in seen)
    story.expect("no row is gone", pg.value("SELECT count(*) FROM encounter") == before)


def held_update(story, pg):
    story.title("3. A held update: dana waits in psql, pat approves")
    text = "UPDATE patient SET phone = '(512) 555-0199' WHERE id = 5"
    story.command(f'psql … -c "{text}"      # waits')
    url = story.gate.url("dana", story.passwords["dana"])
    waiting = subprocess.Popen(["psql", "-X", url, "-c", text], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True)
    request = stack.wait_for(lambda: story.gate.json("approvals", token=story.tokens["pat"])["items"], 20)[0]
    story.cli("approvals", who="pat")
    story.expect("nothing has happened yet", pg.value("SELECT phone FROM patient WHERE id = 5") != "(512) 555-0199")
    own = story.cli("approve", request["id"], who="dana")
    story.expect("dana cannot approve it herself", own.returncode != 0)
    done = story.cli("approve", request["id"], who="pat")
    seen = waiting.communicate(timeout=20)[0]
    print(seen.rstrip())
    story.expect("approved by another person, then it ran", done.returncode == 0 and "approved by pat; running" in seen
                 and "UPDATE 1" in seen)
    story.expect("the row is changed", pg.value("SELECT phone FROM patient WHERE id = 5") == "(512) 555-0199")


def agent_ticket(story, pg):
    story.title("4. An AI agent gets a ticket, and may run once what was approved")
    text = "UPDATE patient SET phone = '(512) 555-0142' WHERE id = 9"
    seen = story.psql("ai-triage", text)
    found = re.search(r"request (r-\w+)", seen)
    story.expect("the agent is told the request's id and does not wait", found is not None)
    if found is None:
        return
    story.cli("approve", found.group(1), who="pat")
    seen = story.psql("ai-triage", text)
    story.expect("the same statement runs once", "UPDATE 1" in seen)
    seen = story.psql("ai-triage", text)
    story.expect("and is asked again the next time", "approval needed" in seen)
    story.expect("the agent's row is changed", pg.value("SELECT phone FROM patient WHERE id = 9") == "(512) 555-0142")


def replay(story, people):
    story.title("5. What dana saw, played by a reviewer")
    sessions = story.gate.json("session", "ls", token=story.tokens["pat"])["items"]
    first = [s for s in sessions if s["user"] == "dana"][-1]["id"]
    story.cli("session", "ls", who="pat")
    seen = story.cli("session", "play", first, who="pat").stdout
    story.expect("the replay shows the rows as dana saw them, masked",
                 "▒▒▒▒▒" in seen and not any(p["last_name"] in seen for p in people))


def verified(story):
    story.title("6. The record, verified")
    story.cli("audit", "checkpoint")
    done = story.cli("audit", "verify")
    story.expect("intact and complete", done.returncode == 0)


def walk(gate, pg, passwords, tokens):
    people = list(patients.people(PEOPLE))
    story = Story(gate, passwords, tokens)
    masked_read(story, people)
    blocked_delete(story, pg)
    held_update(story, pg)
    agent_ticket(story, pg)
    replay(story, people)
    verified(story)
    return story


def stay(gate, passwords, tokens):
    password = passwords["dana"]
    print(f"""
{BOLD}Try it yourself{PLAIN} (Ctrl-C here ends everything):

  psql "postgresql://dana:{password}@127.0.0.1:{gate.port}/ehr"
  psql "postgresql://ai-triage:{tokens['ai-triage']}@127.0.0.1:{gate.port}/ehr"

  export CHAPERONE_CONFIG={gate.config}
  export CHAPERONE_TOKEN={tokens['pat']}      # pat, of the privacy office
  {gate.binary} approvals
  {gate.binary} approve ID
  {gate.binary} session ls
""", flush=True)
    try:
        while gate.process.poll() is None:
            time.sleep(0.5)
        print("chaperone ended by itself; its log:\n" + gate.log_text(), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nending …")
        return 0


def main():
    parser = argparse.ArgumentParser(prog="./dev demo", description=__doc__.splitlines()[0])
    parser.add_argument("--once", action="store_true", help="end after the walk; status 0 when every step held")
    options = parser.parse_args()
    started = time.monotonic()
    with stack.temporary_folder("chaperone-demo-") as folder:
        pg = stack.Postgres(folder / "pg")
        gate = None
        try:
            print("starting a private PostgreSQL with synthetic patients …", flush=True)
            pg.start().make_database(patients.sql(PEOPLE))
            gate = stack.Gateway(folder / "gate", pg.port)
            gate.start()
            passwords, tokens = gate.add_people()
            print(f"chaperone is up after {time.monotonic() - started:.1f} s: 127.0.0.1:{gate.port} → "
                  f"127.0.0.1:{pg.port}, {PEOPLE} patients")
            story = walk(gate, pg, passwords, tokens)
            if story.failed:
                print("\nnot as it should be:\n  " + "\n  ".join(story.failed))
            else:
                print(f"\n{BOLD}Every step held.{PLAIN} ({time.monotonic() - started:.1f} s)")
            if options.once or story.failed:
                return 1 if story.failed else 0
            return stay(gate, passwords, tokens)
        except KeyboardInterrupt:
            return 130
        finally:
            if gate is not None:
                gate.stop()
            pg.stop()


if __name__ == "__main__":
    sys.exit(main())
