#!/usr/bin/python3
"""./dev bench [ROW …] [--seconds N] [--rounds N]: chaperone with everything on, beside a connection without a gateway,
a bare relay, PgBouncer (session) and HAProxy, interleaved, so that ratios hold on a noisy machine.

Prints one table (medians, spread, ratios within a round) and writes build/bench.json. Rows: those whose names begin
with a word given; none given: all.
"""
import argparse
import contextlib
import json
import os
import pathlib
import re
import statistics
import subprocess
import tempfile
import threading
import time

import peers
import psycopg
import stack

SELECT = "SELECT aid, bid, abalance, filler FROM pgbench_accounts LIMIT 300000"
MASKED = ("SELECT p.id, p.mrn, p.first_name, p.last_name, p.birth_date, p.city, p.state "
          "FROM patient p CROSS JOIN generate_series(1, 800) g")
GIGABYTE = "COPY (SELECT repeat('x', 1000) FROM generate_series(1, 1000000)) TO STDOUT"
PAIRS = 100


# --- one measurement: {"value": …, and what else was seen}; sign-in is within pgbench's time ---

def pgbench(peer, mode, clients, seconds, log=False):
    with tempfile.TemporaryDirectory() as folder:
        before = peer.cpu_ns()
        done = subprocess.run([str(peers.PGBENCH), "-n", "-S", "-M", mode, "-c", str(clients), "-j", str(min(clients, 2)),
                               "-T", str(seconds + clients // 16), *(["-l"] if log else []), peer.url], text=True, cwd=folder,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        cpu = peer.cpu_ns() - before
        tps = re.search(r"tps = ([\d.]+)", done.stdout)
        count = re.search(r"actually processed: (\d+)", done.stdout)
        if done.returncode != 0 or not tps or int(count.group(1)) == 0:
            raise SystemExit(f"pgbench through {peer.name} failed:\n{done.stdout}")
        waited = sorted(int(line.split()[2]) for path in pathlib.Path(folder).iterdir()
                        for line in path.read_text().splitlines())
    return {"tps": float(tps.group(1)), "cpu_us": cpu / 1000 / int(count.group(1)),
            **({f"p{p}_us": waited[len(waited) * p // 100] for p in (50, 99)} if log else {})}


def oltp(mode, clients):
    def run(peer, seconds):
        seen = pgbench(peer, mode, clients, seconds)
        return {"value": seen["tps"], **seen}
    return run


def latency(clients, percentile):
    def run(peer, seconds):
        seen = pgbench(peer, "prepared", clients, seconds, log=True)
        return {"value": seen[f"p{percentile}_us"], **seen}
    return run


def bulk(text, rows):
    """Rows a second, with psql throwing them away."""
    def run(peer, seconds):
        begun = time.monotonic()
        with open("/dev/null", "wb") as nowhere:
            subprocess.run(["psql", "-X", "-q", "-A", "-t", "-c", text, peer.url], check=True, stdout=nowhere)
        return {"value": rows / (time.monotonic() - begun)}
    return run


def idle(peer, seconds):
    """Bytes for each connection that has asked once and waits."""
    with contextlib.ExitStack() as ends:
        for n in range(PAIRS + 5):
            if n == 5:  # what the first ones load is no connection's own
                before = peer.memory()
            ends.enter_context(psycopg.connect(peer.url)).execute("SELECT 1")
        time.sleep(8)  # idle: what a busy one keeps was given back
        return {"value": (peer.memory() - before) / PAIRS}


def streaming(peer, seconds):
    """Bytes above idle, at most, while 1 GB passes through one session."""
    before, most, over = peer.memory(), [0], threading.Event()

    def watch():
        while not over.wait(0.05):
            most[0] = max(most[0], peer.memory() - before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    begun = time.monotonic()
    bulk(GIGABYTE, 1)(peer, seconds)
    over.set()
    watcher.join()
    return {"value": most[0], "seconds": time.monotonic() - begun}


class Row:
    def __init__(self, name, unit, run, secured=False, without=(), rounds=None):
        self.name, self.unit, self.run, self.secured, self.without, self.rounds = name, unit, run, secured, without, rounds


ROWS = [
    Row("simple 16", "tps", oltp("simple", 16)),
    Row("prepared 16", "tps", oltp("prepared", 16)),
    Row("prepared 1", "tps", oltp("prepared", 1)),
    Row("p50 of 1", "us", latency(1, 50)),
    Row("p99 of 64", "us", latency(64, 99)),
    Row("bulk select", "rows/s", bulk(SELECT, 300000)),
    Row("bulk copy", "rows/s", bulk(f"COPY ({SELECT}) TO STDOUT", 300000)),
    Row("bulk masked", "rows/s", bulk(MASKED, 200000)),
    Row("tls prepared 16", "tps", oltp("prepared", 16), secured=True),
    Row("tls bulk select", "rows/s", bulk(SELECT, 300000), secured=True),
    Row("memory idle pair", "bytes", idle, without=("direct",), rounds=1),
    Row("memory 1 GB", "bytes", streaming, without=("direct",), rounds=1),
]


# --- all of them ---

def measure(rows, plain, secured, options):
    results = {}
    for row in rows:
        roads = [p for p in (secured if row.secured else plain).values() if p.name not in row.without]
        rounds = row.rounds or options.rounds
        for peer in roads if rounds > 1 else ():
            row.run(peer, 2)  # warm
        for n in range(rounds):
            for peer in roads:
                seen = row.run(peer, options.seconds)
                results.setdefault(row, {}).setdefault(peer.name, []).append(seen)
                print(f"  {row.name:17} round {n + 1}/{rounds}  {peer.name:10} {seen['value']:12.0f} {row.unit}", flush=True)
    return results


def ratio(values, others):
    """Within a round, then their median: neighbours in time share the machine's mood."""
    return statistics.median(a / b for a, b in zip(values, others)) if others and all(others) else None


def shown(number, form):
    return "" if number is None else format(number, form)


def table(results):
    print(f"\n{'row':17} {'peer':10} {'median':>12} {'':6} {'spread':>7} {'/direct':>8} {'/relay':>8} {'/pgbouncer':>10} "
          f"{'CPU us/query':>12}")
    lines = []
    for row, roads in results.items():
        of = {name: [seen["value"] for seen in runs] for name, runs in roads.items()}
        for name, runs in roads.items():
            values = of[name]
            median = statistics.median(values)
            line = {"row": row.name, "unit": row.unit, "peer": name, "median": median, "runs": runs,
                    "spread": (max(values) - min(values)) / median if median else 0,
                    **{f"to_{other}": ratio(values, of.get(other)) for other in ("direct", "relay", "pgbouncer")}}
            cpu = [seen["cpu_us"] for seen in runs if seen.get("cpu_us")]
            line["cpu_us"] = statistics.median(cpu) if cpu else None
            lines.append(line)
            print(f"{row.name:17} {name:10} {median:12.0f} {row.unit:6} {line['spread']:7.0%} {shown(line['to_direct'], '8.2f'):>8} "
                  f"{shown(line['to_relay'], '8.2f'):>8} {shown(line['to_pgbouncer'], '10.2f'):>10} {shown(line['cpu_us'], '12.1f'):>12}")
    return lines


def main():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("row", nargs="*", help="\n".join(row.name for row in ROWS))
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=0, help="chaperone's workers; 0: one for each core")
    options = parser.parse_args()
    rows = [row for row in ROWS if not options.row or any(row.name.startswith(word) for word in options.row)]
    if not rows:
        parser.error(f"no row begins so; there are: {', '.join(row.name for row in ROWS)}")
    with stack.temporary_folder("chaperone-bench-") as folder, contextlib.ExitStack() as ends:
        plain, secured = peers.make(folder, ends, options.workers)
        load = os.getloadavg()
        begun = time.time()
        lines = table(measure(rows, plain, secured, options))
        out = {"started": begun, "load_before": load, "load_after": os.getloadavg(), "seconds": options.seconds,
               "rounds": options.rounds, "cores": os.cpu_count(), "rows": lines}
        (stack.ROOT / "build/bench.json").write_text(json.dumps(out, indent=1))
        print(f"\nload before {load[0]:.1f}, after {out['load_after'][0]:.1f}; written to build/bench.json")


if __name__ == "__main__":
    main()
