"""kill -9 at random under load. Whatever a client saw is in the verified record; nobody hangs.

KILL_ROUNDS says how often (10 in ./dev check, 1,000 in --full).
"""
import contextlib
import os
import pathlib
import random
import signal
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "demo"), str(ROOT / "tests/e2e")]

import patients  # noqa: E402
import stack  # noqa: E402
import wire  # noqa: E402

ROUNDS = int(os.environ.get("KILL_ROUNDS", "10"))
CLIENTS, HANG_S, READY_S = 4, 5.0, 2.0


class Load(threading.Thread):
    """Signs in again and again, asks, and writes down every row it was shown."""

    def __init__(self, gate, password, seed):
        super().__init__(daemon=True)
        self.gate, self.password, self.random = gate, password, random.Random(seed)
        self.seen, self.longest, self.stop, self.errors = {}, 0.0, False, []
        self.asked = 0

    def run(self):
        while not self.stop:
            started = time.monotonic()
            try:
                self.session()
            except (OSError, wire.ServerClosed, PermissionError, TimeoutError):
                time.sleep(0.02)
            self.longest = max(self.longest, time.monotonic() - max(started, getattr(self, "mark", started)))

    def session(self):
        client = wire.Client(self.gate.port, "dana", self.password, timeout=HANG_S + 3)
        name = client.parameters["chaperone.session"]
        try:
            for _ in range(50):
                if self.stop:
                    return
                self.mark = time.monotonic()
                got = client.query(f"SELECT id, city, last_name FROM patient WHERE id = {self.random.randrange(1, 200)}")
                self.longest = max(self.longest, time.monotonic() - self.mark)
                self.asked += 1
                self.seen.setdefault(name, []).extend(wire.rows(got))
        finally:
            client.close()


def play(gate, session, token):
    return gate.cli("session", "play", session, token=token, check=False).stdout


def check_record(gate, loads, tokens, tries=6):
    """Every row that any client saw is in the record of its session."""
    sessions = [(name, rows) for load in loads for name, rows in load.seen.items() if rows]
    random.Random(5).shuffle(sessions)
    for name, rows in sessions[:tries]:
        shown = play(gate, name, tokens["pat"])
        for row in rows:
            assert all(cell.decode() in shown for cell in row), (name, row, shown[-2000:])
    return len(sessions)


def test_kill_nine():
    rng = random.Random(11)
    with stack.temporary_folder() as folder:
        pg = stack.Postgres(folder / "pg").start()
        pg.make_database(patients.sql(200))
        gate = stack.Gateway(folder / "gate", pg.port).start()
        passwords, tokens = gate.add_people()
        loads = [Load(gate, passwords["dana"], n) for n in range(CLIENTS)]
        try:
            for load in loads:
                load.start()
            slowest = 0.0
            for n in range(ROUNDS):
                time.sleep(rng.uniform(0.05, 0.4))
                slowest = max(slowest, one_kill(gate, ["worker", "keeper", "console", "supervisor"][n % 4], rng))
            time.sleep(0.5)
            for load in loads:
                load.stop = True
            for load in loads:
                load.join(HANG_S + 5)
                assert not load.is_alive(), "a client hangs"
            assert sum(load.asked for load in loads) > ROUNDS
            gate.stop()
            gate.start()
            verified = gate.cli("audit", "verify", check=False)
            assert verified.returncode == 0, verified.stdout + verified.stderr
            count = check_record(gate, loads, tokens, tries=20)
            longest = max(load.longest for load in loads)
            print(f"{ROUNDS} kills, {count} sessions, {sum(l.asked for l in loads)} statements, longest wait "
                  f"{longest:.2f} s, slowest ready again {slowest:.2f} s")
            assert longest <= HANG_S, f"a client waited {longest:.1f} s"
            assert slowest <= READY_S, f"ready again only after {slowest:.1f} s"
        finally:
            for load in loads:
                load.stop = True
            gate.stop()
            pg.stop()


def test_a_worker_that_dies_unanswered_broke_no_rule():
    with stack.temporary_folder() as folder:
        gate = stack.Gateway(folder / "gate", 1, workers=1).start()
        gate.add_people()
        keeper, worker = gate.pids()["keeper"][0], gate.pids()["worker"][0]
        try:
            os.kill(keeper, signal.SIGSTOP)
            caller = threading.Thread(target=serves, args=[gate], daemon=True)
            caller.start()
            time.sleep(0.5)  # the worker has asked the keeper for a salt
            os.kill(worker, signal.SIGKILL)
            time.sleep(0.2)
            os.kill(keeper, signal.SIGCONT)
            stack.wait_for(lambda: gate.pids()["worker"] not in ([], [worker]), 5)
            caller.join(5)
            assert "broke the rules" not in gate.log_text()
            assert f"process {worker} ended before its message" in gate.log_text()
            assert gate.pids()["keeper"] == [keeper]
        finally:
            gate.stop()


def serves(gate):
    with contextlib.suppress(OSError, wire.ServerClosed, PermissionError):
        wire.Client(gate.port, "dana", "correct-horse-1", timeout=3).close()
        return True
    return False


def one_kill(gate, kind, rng):
    """Seconds until somebody can sign in again."""
    if kind == "supervisor":
        pids = gate.pids()
        os.kill(gate.process.pid, signal.SIGKILL)
        gate.process.wait()
        gate.log.close()
        started = time.monotonic()
        stack.wait_for(lambda: not any(pathlib.Path(f"/proc/{p}/cmdline").exists() and
                                       b"--child" in pathlib.Path(f"/proc/{p}/cmdline").read_bytes()
                                       for k in ("keeper", "worker", "console") for p in pids[k]), 5)
        gate.start(wait=False)
    else:
        found = gate.pids()[kind]
        if not found:
            return 0.0
        os.kill(rng.choice(found), signal.SIGKILL)
        started = time.monotonic()
    stack.wait_for(lambda: serves(gate), 10)
    return time.monotonic() - started
