#!/usr/bin/python3
"""Every n-th call of every function in every process fails, one case after the other.

    tests/faults/sweep.py                       all, on from where the last sweep stopped (build/faults.done)
    tests/faults/sweep.py --minutes 50          a part of it, as ./dev check --full faults does
    tests/faults/sweep.py --only keeper/write   those whose name has this in it
    tests/faults/sweep.py --case work/keeper/write/7/ENOSPC      one, with the place that was hit and the log

A case is LOAD/PROCESS/FUNCTION/N/ERROR. Loads: work (sign-in, reads with masks, a write, a refusal, an approval),
kill (the process is killed first: faults of its new start), restart (the gateway is stopped and started).
"""
import argparse
import contextlib
import os
import signal
import subprocess
import sys
import time

import load
import stack
from plan import PROCESSES

ERRORS = {
    "read": ("EIO", "EINTR", "SHORT"), "write": ("ENOSPC", "EIO", "EINTR", "SHORT"), "pread": ("EIO", "SHORT"),
    "pwrite": ("ENOSPC", "EIO", "SHORT"), "send": ("ECONNRESET", "EAGAIN", "EINTR", "SHORT"),
    "recv": ("ECONNRESET", "EINTR", "SHORT"), "sendmsg": ("ENOBUFS", "ENOMEM", "EPIPE", "EINTR"),
    "recvmsg": ("ECONNRESET", "ENOMEM", "EINTR"), "fdatasync": ("EIO",), "fsync": ("EIO",), "ftruncate": ("EIO",),
    "fallocate": ("ENOSPC",), "open": ("EMFILE",), "rename": ("EIO",), "unlink": ("EIO",), "mmap": ("ENOMEM",),
    "malloc": ("ENOMEM",), "epoll_ctl": ("ENOMEM",), "socketpair": ("EMFILE",), "socket": ("EMFILE",),
    "connect": ("ECONNREFUSED", "EINTR"), "accept4": ("EMFILE", "ECONNABORTED"), "setsockopt": ("ENOMEM",),
    "getsockopt": ("ENOMEM",), "memfd_create": ("EMFILE",), "pipe2": ("EMFILE",), "dup": ("EMFILE",),
    "fcntl": ("EMFILE",), "fstat": ("EIO",), "statvfs": ("EIO",), "fork": ("EAGAIN",), "opendir": ("EMFILE",),
    "getrandom": ("EINTR",),
}
LOADS = {"work": PROCESSES, "kill": ("keeper", "worker", "console"), "restart": PROCESSES}
# SQLite takes a lock that it could not give back for one that somebody else holds: no local file system does that.
LEFT_OUT = {("keeper", "fcntl")}
FRESH_EVERY = 100  # cases with one gateway: its record must not grow for ever


class Sweep:
    def __init__(self, folder):
        self.site, self.number = load.Site(folder), 0

    def close(self):
        self.site.close()

    def provoke(self, name, process):
        """What happens while the fault is armed; the witness of it."""
        gate = self.site.gate
        self.killed = gate.pids()[process] if name == "kill" else []
        if name == "kill":
            for pid in self.killed:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)
        if name == "restart":
            gate.stop()
            gate.start(wait=False)
        if name != "work":
            with contextlib.suppress(TimeoutError, RuntimeError, subprocess.TimeoutExpired):
                stack.wait_for(gate.is_ready, 2)
        witness = load.Witness(self.site, f"m{os.getpid()}x{self.number}")
        witness.run()
        return witness

    def again(self, refused):
        """A start that was refused says so and ends; the next one is not hit."""
        gate = self.site.gate
        if gate.process is not None and gate.process.poll() is None:
            return []
        code = gate.process.wait() if gate.process else 0
        aborted = code == -signal.SIGABRT and load.foreign(self.site.plan.modules())  # libuv's way out
        wrong = [] if aborted or refused and code > 0 else [f"the supervisor ended: {code}"]
        if refused and not aborted and not any(w in gate.log_text()[self.mark:] for w in ("chaperone:", "does not start", "cannot", "no memory")):
            wrong.append("it did not say why it does not start")
        gate.stop()
        gate.start(wait=False)
        return wrong

    def log(self):
        return self.site.gate.log_text()[self.mark:]

    def measure(self, name, process):
        """How many calls of each function the load makes of that process, more or less."""
        if self.number % FRESH_EVERY == 0 and self.number:
            self.site.renew()
        self.number += 1
        self.mark = len(self.site.gate.log_text())
        self.site.plan.count()
        self.provoke(name, process)
        found = self.site.plan.calls()
        self.site.plan.disarm()
        return {c: n for (p, c), n in found.items() if p == process and (p, c) not in LEFT_OUT}

    def case(self, name, process, call, n, error):
        """(reached, what is wrong)"""
        self.number += 1
        if self.number % FRESH_EVERY == 0:
            self.site.renew()
        plan = self.site.plan
        self.mark = len(self.site.gate.log_text())
        plan.fail(process, call, n, error)
        witness = self.provoke(name, process)
        plan.disarm()
        wrong = self.again(name == "restart")
        if load.whole(self.site) is None:
            wrong.append("it is not ready again")
        wrong += load.judge(self.site, witness, self.log(), self.killed)
        if "it is not ready again" not in wrong:
            wrong += load.check_record(self.site, witness)
            wrong += load.verify(self.site)
        return bool(plan.at.fired), wrong

    def run(self, text):
        name, process, call, n, error = text.split("/")
        reached, wrong = self.case(name, process, call, int(n), error)
        where = self.site.plan.where() if wrong else ""
        log = self.log() if wrong else ""
        if wrong:
            self.site.renew()
        return reached, wrong, where, log


def cases(sweep, only, done):
    """Every n, until the load ends without the fault."""
    for name, processes in LOADS.items():
        for process in processes:
            if only and "/" in only and not f"{name}/{process}/".startswith(only[:len(f"{name}/{process}/")]) and \
                    not only.startswith(process):
                continue
            counted = sweep.measure(name, process)
            for call in sorted(counted):
                for error in ERRORS[call]:
                    key = f"{name}/{process}/{call}/{error}"
                    if key in done or (only and only not in f"{name}/{process}/{call}/"):
                        continue
                    yield key, counted[call]


def smoke(sweep, count):
    """`count` cases spread over the whole."""
    found = []
    for name, processes in LOADS.items():
        for process in processes:
            for call, calls in sorted(sweep.measure(name, process).items()):
                found += [f"{name}/{process}/{call}/{max(1, calls * (1 + len(found)) % 7 * calls // 7)}/{error}"
                          for error in ERRORS[call]]
    return found[::max(1, len(found) // count)][:count]


def report(text, reached, wrong, where, log):
    print(f"{'WRONG' if wrong else 'ok   ' if reached else 'end  '} {text}" + (f": {'; '.join(wrong)}\n  hit: {where}" if wrong else ""))
    if wrong:
        print("".join(f"  | {line}\n" for line in log.splitlines()[-25:]), end="")
    sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--case", action="append")
    parser.add_argument("--only")
    parser.add_argument("--smoke", type=int)
    parser.add_argument("--step", type=int, default=1, help="every so many n only")
    parser.add_argument("--minutes", type=float, help="stop after so many; the next sweep goes on from there")
    parser.add_argument("--done", default=str(load.ROOT / "build/faults.done"))
    options = parser.parse_args()
    failed = passed = 0
    with stack.temporary_folder() as folder:
        sweep = Sweep(folder)
        try:
            if options.case or options.smoke:
                for text in options.case or smoke(sweep, options.smoke):
                    reached, wrong, where, log = sweep.run(text)
                    if options.case and not wrong:
                        where = sweep.site.plan.where()
                        print("hit:", where)
                        print(sweep.log())
                    report(text, reached, wrong, where, log)
                    failed, passed = failed + bool(wrong), passed + (not wrong)
            else:
                passed, failed = everything(sweep, options)
        finally:
            sweep.close()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def progress(kept):
    """What is done; and up to which n, where the time was over: lines `key` and `key@n`."""
    done, began = set(), {}
    for line in kept.read_text().split() if kept.exists() else ():
        key, _, n = line.partition("@")
        if n:
            began[key] = int(n)
        else:
            done.add(key)
    return done, began


def everything(sweep, options):
    passed = failed = 0
    end = time.monotonic() + options.minutes * 60 if options.minutes else float("inf")
    kept = load.pathlib.Path(options.done)
    done, began = progress(kept)
    for key, calls in cases(sweep, options.only, done):
        name, process, call, error = key.split("/")
        n, bad, ends = began.get(key, 1), 0, 0
        while ends < 2 and time.monotonic() < end:  # calls are not as many each time: twice in a row makes an end
            text = f"{name}/{process}/{call}/{n}/{error}"
            reached, wrong, where, log = sweep.run(text)
            ends = 0 if reached else ends + 1
            bad += bool(wrong)
            passed += not wrong
            if wrong:
                report(text, reached, wrong, where, log)
            n += options.step
        failed += bad
        over = ends < 2
        print(f"{'WRONG' if bad else 'ok   '} {key}: to n = {n - 1}, counted {calls}{', not all of it' if over else ''}")
        sys.stdout.flush()
        if not bad:
            with open(kept, "a") as f:
                f.write(key + (f"@{n}" if over else "") + "\n")
        if over:
            print(f"{options.minutes} minutes are over: the next sweep goes on from here, as {options.done} says")
            break
    return passed, failed


if __name__ == "__main__":
    sys.exit(main())
