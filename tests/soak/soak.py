#!/usr/bin/python3
"""Every driver, over and over, while the gateway is reloaded, drained, handed over and killed.

    tests/soak/soak.py [--seconds 1800] [--seed N]

The first 40 % are rough: processes are killed with -9, the binary hands over to itself. After that processes live on,
so that their memory can be looked at; reloads, drains and revoked tokens go on to the end. What must hold:

- a driver is answered as in the undisturbed run before, or told of an error; never anything else;
- no case takes longer than HANG_S beyond what it takes undisturbed;
- while nobody disturbs, nothing fails;
- every row that a client saw is in the verified record of its session;
- private memory and descriptors of processes that live on do not grow.
"""
import argparse
import contextlib
import os
import pathlib
import random
import re
import signal
import statistics
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / part) for part in ("demo", "tests/e2e", "tests/drivers", "tests/faults")]

import cases  # noqa: E402
import stack  # noqa: E402
import test_drivers  # noqa: E402
import test_kill  # noqa: E402
import wire  # noqa: E402

HANG_S, CALM_S, ROUGH = 5.0, 6.0, 0.4
CASES = ("values", "prepared", "masked", "refused", "cursor", "pool", "cancel")
HELD = ("approved", "denied", "withdrawn")
TRANSPORT = (OSError, wire.ServerClosed, PermissionError, TimeoutError)


class Soak:
    def __init__(self, site, seconds, seed):
        self.site, self.gate = site, site.gate
        self.seconds, self.random = seconds, random.Random(seed)
        self.started = time.monotonic()
        self.over = threading.Event()
        self.disturbed = 0.0        # when somebody last did
        self.gentle = threading.Lock()  # one disturbance at a time
        self.wrong, self.counts, self.longest = [], {}, {}
        self.samples = []           # (seconds, kind, pid, KiB, descriptors)
        self.usual = {}

    def age(self):
        return time.monotonic() - self.started

    def count(self, what, n=1):
        self.counts[what] = self.counts.get(what, 0) + n

    def took(self, what, seconds):
        self.longest[what] = max(self.longest.get(what, 0.0), seconds)

    def say(self, words):
        self.wrong.append(f"{self.age():.0f} s: {words}")
        print(f"WRONG {self.wrong[-1]}", flush=True)

    def was_calm(self, began):
        """Was nobody disturbed from CALM_S before `began` until now?"""
        return began - self.disturbed > CALM_S


# --- clients -----------------------------------------------------------------------------------

def differs(told, usual):
    """None: as usual; else the first step that is not. An error in its place ends the comparison."""
    for step, expected in zip(told, usual):
        if "error" in step and "error" not in expected:
            return "error", step["error"]
        if "error" in step and "error" in expected:
            if cases.one_line(re.sub(r"s-\w{10}", "", step["error"])) != cases.one_line(re.sub(r"s-\w{10}", "", expected["error"])):
                return "error", step["error"]
        elif step != expected:
            return "answer", f"{step} instead of {expected}"
    return None


class Driver(threading.Thread):
    """Random drivers, each a program of its own."""

    def __init__(self, soak, drivers, seed):
        super().__init__(daemon=True)
        self.soak, self.drivers, self.random = soak, drivers, random.Random(seed)

    def run(self):
        while not self.soak.over.is_set():
            name = self.random.choice(self.drivers)
            self.once(name, self.random.sample(CASES, 3))

    def once(self, driver, names):
        soak, began = self.soak, time.monotonic()
        steps = {n: soak.usual[driver][1][n] for n in names}
        try:
            told = test_drivers.run(driver, soak.site.at("gateway"), steps)
        except Exception as error:  # it hangs, or crashed
            soak.say(f"{driver} {names}: {error!r}")
            return
        beyond = time.monotonic() - began - soak.usual[driver][2]
        soak.took(driver, beyond)
        if beyond > HANG_S * len(names) + soak.usual[driver][2]:
            soak.say(f"{driver} {names} took {beyond:.1f} s longer than all cases undisturbed, which took {soak.usual[driver][2]:.1f} s")
        for name in names:
            soak.count(f"{driver} cases")
            self.judge(driver, name, told[name], began)

    def judge(self, driver, name, told, began):
        soak = self.soak
        found = differs(told, soak.usual[driver][0][name])
        if found is None:
            return
        soak.count(f"{driver} disturbed")
        if found[0] == "answer" and name != "cancel":
            soak.say(f"{driver} {name}: {found[1]}")
        elif soak.was_calm(began):
            soak.say(f"{driver} {name} failed while nobody disturbed: {found[1]}")


class Held(threading.Thread):
    """Writes that wait for a person, by drivers that have the patience."""

    def __init__(self, soak, drivers):
        super().__init__(daemon=True)
        self.soak, self.drivers, self.random = soak, drivers, random.Random(77)

    def run(self):
        while not self.soak.over.is_set():
            driver, name = self.random.choice(self.drivers), self.random.choice(HELD)
            self.once(driver, name, self.random.randrange(1, 200))

    def once(self, driver, name, n):
        soak, began = self.soak, time.monotonic()
        try:
            told = test_drivers.run(driver, soak.site.at("gateway"), {name: cases.held(n)[name]})[name]
        except Exception as error:
            soak.say(f"held {driver} {name}: {error!r}")
            return
        soak.count(f"held {name}")
        soak.took(f"held {name}", time.monotonic() - began)
        good = told[0] == {"count": 1} if name == "approved" else "error" in told[0]
        if not good and "error" not in told[0]:
            soak.say(f"held {driver} {name}: {told}")
        elif not good and soak.was_calm(began):
            soak.say(f"held {driver} {name} failed while nobody disturbed: {told}")


class Reader(test_kill.Load):
    """Short masked reads on the wire; what it saw must be in the record."""

    def __init__(self, soak, seed):
        super().__init__(soak.gate, soak.site.passwords["dana"], seed)
        self.soak = soak

    def session(self):
        before = dict(self.seen)
        super().session()
        if len(self.seen) > 40:  # a sample is enough for half an hour
            kept = self.random.sample(sorted(before), 30)
            self.seen = {name: self.seen[name] for name in kept}
        time.sleep(self.random.uniform(0, 0.2))


# --- disturbances ------------------------------------------------------------------------------

def reload(soak):
    text = soak.gate.config.read_text()
    one, other = ("hold: 10m", "hold: 9m") if "hold: 10m" in text else ("hold: 9m", "hold: 10m")
    soak.gate.config.write_text(text.replace(one, other))
    done = soak.gate.cli("reload", check=False)
    if done.returncode not in (0, 5, 8):
        soak.say(f"reload: {done.returncode} {done.stderr}")


def drain(soak):
    soak.gate.cli("drain", check=False)
    time.sleep(soak.random.uniform(0.2, 1.5))
    stack.wait_for(lambda: soak.gate.cli("drain", "--end", check=False).returncode == 0, 10)


def revoke(soak):
    stack.wait_for(lambda: soak.gate.cli("token", "create", "--user", "erin", "--ttl", "1h", check=False).returncode == 0, 10)
    soak.gate.cli("user", "groups", "erin", "--group", "clinical", check=False)


def hand_over(soak):
    with contextlib.suppress(ProcessLookupError):
        os.kill(soak.gate.process.pid, signal.SIGUSR2)
    time.sleep(1)


def kill(kind):
    def one(soak):
        soak.took(f"ready after kill -9 of the {kind}", test_kill.one_kill(soak.gate, kind, soak.random))
    return one


GENTLE = [("reload", reload), ("drain", drain), ("revoke", revoke)]
ROUGHER = GENTLE + [("hand-over", hand_over)] + [(f"kill {kind}", kill(kind))
                                                for kind in ("worker", "worker", "keeper", "console", "supervisor")]


class Disturber(threading.Thread):
    def __init__(self, soak):
        super().__init__(daemon=True)
        self.soak = soak

    def run(self):
        soak = self.soak
        quiet = min(12.0, soak.seconds / 6)
        while not soak.over.wait(soak.random.uniform(quiet / 6, quiet)):
            rough = soak.age() < soak.seconds * ROUGH
            name, disturb = soak.random.choice(ROUGHER if rough else GENTLE)
            try:
                soak.disturbed = time.monotonic() + 60  # until it is over
                disturb(soak)
                stack.wait_for(soak.gate.is_ready, 10)
            except Exception as error:
                soak.say(f"{name}: {error!r}")
            soak.disturbed = time.monotonic()
            soak.count(name)


# --- memory ------------------------------------------------------------------------------------

def private_kib(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"RssAnon:\s+(\d+)", text).group(1))


class Sampler(threading.Thread):
    def __init__(self, soak):
        super().__init__(daemon=True)
        self.soak = soak

    def run(self):
        soak = self.soak
        while not soak.over.wait(max(1.0, soak.seconds / 360)):
            for kind, pids in soak.gate.pids().items():
                for pid in pids:
                    with contextlib.suppress(OSError, AttributeError):
                        fds = len(os.listdir(f"/proc/{pid}/fd"))
                        soak.samples.append((soak.age(), kind, pid, private_kib(pid), fds))


def growth(soak, slack_kib):
    """One line for each process that lived through the second part: what it had early and late in it."""
    early = lambda age: ROUGH + 0.1 <= age / soak.seconds < ROUGH + 0.25  # noqa: E731
    late = lambda age: 0.85 <= age / soak.seconds  # noqa: E731
    for kind, pid in sorted({(kind, pid) for _, kind, pid, _, _ in soak.samples}):
        own = [s for s in soak.samples if s[2] == pid]
        first, last = [s for s in own if early(s[0])], [s for s in own if late(s[0])]
        if not first or not last:
            continue
        kib = [statistics.median(s[3] for s in part) for part in (first, last)]
        fds = [statistics.median(s[4] for s in part) for part in (first, last)]
        print(f"{kind:10} {pid:7}  private {kib[0]:8.0f} → {kib[1]:8.0f} KiB   descriptors {fds[0]:4.0f} → {fds[1]:4.0f}")
        if kib[1] > kib[0] * 1.15 + slack_kib:
            soak.say(f"{kind} {pid} grows: {kib[0]:.0f} → {kib[1]:.0f} KiB")
        if fds[1] > fds[0] + 20:
            soak.say(f"{kind} {pid} keeps descriptors: {fds[0]:.0f} → {fds[1]:.0f}")


# --- the whole -----------------------------------------------------------------------------------

def learn(soak, drivers):
    """What each driver is answered undisturbed, and how long that takes."""
    for n, name in enumerate(drivers):
        steps = {k: v for k, v in cases.shared("gateway", 40 + n).items() if k in CASES}
        began = time.monotonic()
        soak.usual[name] = (test_drivers.run(name, soak.site.at("gateway"), steps), steps, time.monotonic() - began)


def progress(soak):
    while not soak.over.wait(1 if soak.seconds < 60 else 30):
        if soak.age() >= soak.seconds:
            return
        done = sum(n for what, n in soak.counts.items() if what.endswith("cases"))
        print(f"{soak.age():6.0f} / {soak.seconds} s  {done} cases, {len(soak.wrong)} wrong", flush=True)


def soak_for(site, seconds, seed, few):
    drivers = [name for name, how in test_drivers.DRIVERS.items() if how[0]() is not None]
    drivers = drivers if not few else [d for d in drivers if d in ("psycopg", "asyncpg", "psql")]
    soak = Soak(site, seconds, seed)
    learn(soak, drivers)
    print(f"{len(drivers)} drivers, {seconds} s, seed {seed}", flush=True)
    soak.started = time.monotonic()
    readers = [Reader(soak, seed + n) for n in range(2)]
    others = [Driver(soak, drivers, seed + 10 + n) for n in range(2)]
    others += [Held(soak, [d for d in drivers if d in ("psycopg", "asyncpg", "lib-pq", "pgx")]), Disturber(soak), Sampler(soak)]
    for thread in readers + others:
        thread.start()
    progress(soak)
    for reader in readers:
        reader.stop = True
    soak.over.set()
    for thread in readers + others:
        thread.join(200)
        if thread.is_alive():
            soak.say(f"{type(thread).__name__} hangs")
    return soak, readers


def judge(soak, readers):
    gate = soak.gate
    gate.stop()
    gate.start()
    verified = gate.cli("audit", "verify", check=False)
    if verified.returncode != 0:
        soak.say(f"audit verify: {verified.stdout}{verified.stderr}")
    sessions = test_kill.check_record(gate, readers, soak.site.tokens, tries=40)
    growth(soak, 1 << 10 if soak.seconds >= 600 else 64 << 10)
    for what in sorted(soak.counts):
        print(f"{what:40} {soak.counts[what]}")
    for what in sorted(soak.longest):
        print(f"longest {what:40} {soak.longest[what]:.1f} s")
    waited = max(reader.longest for reader in readers)
    asked = sum(reader.asked for reader in readers)
    print(f"{asked} reads on the wire, {sessions} of their sessions looked at, longest wait {waited:.2f} s")
    if waited > HANG_S:
        soak.say(f"a client waited {waited:.1f} s")
    if asked == 0 or not any(what.endswith("cases") for what in soak.counts) or "reload" not in soak.counts:
        soak.say("nothing happened")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=1800)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100000)
    parser.add_argument("--few", action="store_true", help="three drivers only: a smoke")
    options = parser.parse_args()
    with stack.temporary_folder() as folder:
        site = test_drivers.Site(folder)
        try:
            soak, readers = soak_for(site, options.seconds, options.seed, options.few)
            judge(soak, readers)
        finally:
            site.close()
    print(f"{len(soak.wrong)} wrong")
    return 1 if soak.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
