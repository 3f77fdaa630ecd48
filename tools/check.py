#!/usr/bin/python3
"""Runs every rule and test there is and counts. Called by ./dev check, from the project's root.

Each step prints one line when it passes and its whole output when it does not.
The last line is "N passed, N failed[, N skipped]"; exit status 0 only with none failed.
"""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
SANITIZERS = {
    "build-asan": ("gcc", ["-Db_sanitize=address,undefined"]),
    "build-clang": ("clang-14", ["-Db_sanitize=address,undefined", "-Db_lundef=false"]),
    "build-msan": ("clang-14", ["-Db_sanitize=memory", "-Db_lundef=false", "-Dpure_only=true"]),
    "build-tsan": ("gcc", ["-Db_sanitize=thread"]),
}
SKIPPED = 77


class Count:
    def __init__(self):
        self.passed, self.failed, self.skipped = 0, 0, 0

    def step(self, name, passed, failed, skipped, started, output=""):
        self.passed += passed
        self.failed += failed
        self.skipped += skipped
        word = "FAILED" if failed else "ok"
        tail = f", {skipped} skipped" if skipped else ""
        print(f"{word:6} {name}: {passed} passed, {failed} failed{tail} ({time.time() - started:.1f} s)")
        if failed:
            print(output)
        sys.stdout.flush()


def run(args, **kwargs):
    return subprocess.run(args, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", **kwargs)


def rule(count, name, args):
    started = time.time()
    done = run(args)
    bad = done.returncode != 0
    count.step(name, int(not bad), int(bad), 0, started, done.stdout)


def rules(count):
    python = "/usr/bin/python3"
    rule(count, "arrows between rooms", [python, "tools/check_layers.py"])
    rule(count, "purity of the core", [python, "tools/check_pure.py", "build"])
    rule(count, "file and function size", [python, "tools/check_size.py"])
    rule(count, "banned calls and words", [python, "tools/check_banned.py"])
    rule(count, "format", ["tools/check_format.sh"])
    for extra in sorted(pathlib.Path(ROOT, "tools/rules").glob("*")):
        rule(count, extra.stem.replace("_", " "), [str(extra)])


def configure(build):
    compiler, options = SANITIZERS[build]
    if not pathlib.Path(ROOT, build, "build.ninja").exists():
        env = dict(os.environ, CC=compiler)
        done = run(["meson", "setup", build, "-Dbuildtype=debugoptimized", *options], env=env)
        if done.returncode != 0:
            return done
    return run(["ninja", "-C", build, "--quiet"])


def meson_tests(count, build, *args):
    """One count a test; meson's log has a JSON line for each."""
    started = time.time()
    done = run(["meson", "test", "-C", build, "--no-rebuild", "--print-errorlogs", *args],
               env=dict(os.environ, ASAN_OPTIONS="detect_leaks=1:allocator_may_return_null=1"))
    log = pathlib.Path(ROOT, build, "meson-logs/testlog.json")
    results = [json.loads(line)["result"] for line in log.read_text().splitlines()] if log.exists() else []
    failed = sum(r not in ("OK", "SKIP") for r in results) or int(done.returncode != 0)
    count.step(f"unit tests, {build}", results.count("OK"), failed, results.count("SKIP"), started,
               done.stdout)


def sanitized(count, build, *args):
    started = time.time()
    done = configure(build)
    if done.returncode != 0:
        count.step(f"{build}: compile", 0, 1, 0, started, done.stdout)
        return
    meson_tests(count, build, *args)


def pytest(count, name, *args, env=None):
    """Real clients, real PostgreSQL. pytest's own last line is parsed for the counts."""
    started = time.time()
    done = run(["/usr/bin/python3", "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", *args],
               env=dict(os.environ, **(env or {})))
    numbers = {word: int(n) for n, word in re.findall(r"(\d+) (passed|failed|error|errors|skipped)", done.stdout)}
    failed = numbers.get("failed", 0) + numbers.get("error", 0) + numbers.get("errors", 0)
    if failed == 0 and (done.returncode != 0 or numbers.get("passed", 0) == 0):
        failed = 1
    if failed == 0:
        print("".join(f"       {line}\n" for line in done.stdout.splitlines() if line.startswith("SKIPPED")), end="")
    count.step(name, numbers.get("passed", 0), failed, numbers.get("skipped", 0), started, done.stdout)


def faults(count, full):
    """They wait more than they work: all at once."""
    files = {"faults: the n-th call fails": "syscalls", "faults: slow, absent, out of time": "slow",
             "faults: a target that lies": "malicious_upstream", "faults: a worker that is taken over": "taken_over"}
    threads = [threading.Thread(target=pytest, args=[count, name, f"tests/faults/test_{file}.py"],
                                kwargs={"env": {"FAULTS_SWEEP": "full" if full else "smoke"}})
               for name, file in files.items()]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


def fuzz(count, seconds):
    started = time.time()
    done = run(["/usr/bin/python3", "tools/fuzz.py", "build-fuzz", "--seconds", str(seconds)])
    numbers = re.search(r"(\d+) passed, (\d+) failed", done.stdout)
    passed, failed = map(int, numbers.groups()) if numbers else (0, 1)
    count.step(f"fuzzers, {seconds} s each", passed, failed, 0, started, done.stdout)


def kill(count, full):
    rounds = "1000" if full else "10"
    pytest(count, f"kill -9, {rounds} rounds", "tests/faults/test_kill.py", env={"KILL_ROUNDS": rounds})


def soak(count, full):
    how = ["--seconds", "1800"] if full else ["--seconds", "20", "--few"]
    rule(count, f"soak, {how[1]} s", ["/usr/bin/python3", "tests/soak/soak.py", *how])


def drivers(count, full):
    pytest(count, "drivers, directly and through the gateway", "tests/drivers", *([] if full else ["-m", "not heavy"]))


def package(count, full):
    if full:
        rule(count, "the Debian package, lintian", ["./dev", "package"])
        pytest(count, "the package, installed", "tests/package")


def clients(count):
    # They wait more than they work: two at a time, a file's tests by one of them.
    args = ["-n", "2", "--dist", "loadfile", "tests/e2e"]
    pytest(count, "real clients, plain build", *args)
    pytest(count, "real clients, gcc sanitizers", *args, "-m", "core", env={"CHAPERONE_BUILD": "build-asan"})


PARTS = {"drivers": drivers, "package": package, "kill": kill, "faults": faults, "soak": soak,
         "fuzz": lambda count, full: fuzz(count, 600 if full else 10)}


def main():
    parser = argparse.ArgumentParser(prog="./dev check")
    parser.add_argument("--quick", action="store_true", help="rules and unit tests of the plain build")
    parser.add_argument("--full", nargs="*", metavar="PART", choices=list(PARTS),
                        help=f"the long versions: {' '.join(PARTS)}; of those that are named, and nothing else that is long")
    options = parser.parse_args()
    count = Count()
    rules(count)
    meson_tests(count, "build")
    if options.full:
        for name in options.full:
            PARTS[name](count, True)
    elif not options.quick:
        for build in SANITIZERS:
            sanitized(count, build)
        clients(count)
        for part in PARTS.values():
            part(count, options.full is not None)
    tail = f", {count.skipped} skipped" if count.skipped else ""
    print(f"{count.passed} passed, {count.failed} failed{tail}")
    return 1 if count.failed else 0


if __name__ == "__main__":
    sys.exit(main())
