#!/usr/bin/python3
"""./dev bench [--seconds N] [--rounds N]: pgbench against the target directly, PgBouncer (session), HAProxy and
chaperone with everything on, interleaved, so that ratios hold on a noisy machine.

Prints one table (medians, spread, ratio to direct and to PgBouncer) and writes build/bench.json.
"""
import argparse
import contextlib
import json
import os
import pathlib
import pwd
import re
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "demo")]

import patients  # noqa: E402
import stack  # noqa: E402

PGBENCH = stack.PG_BIN / "pgbench"
MODES = [("simple", 16), ("prepared", 16), ("prepared", 1)]
PASSWORD = "correct-horse-1"
# An agent: a token has as many rounds of PBKDF2 as PgBouncer's passwords, a person's password many more, and pgbench
# does those within its own time.
ROLE = """  - name: bench
    members: ["agent:bench"]
    allow: [{resources: [ehr], actions: [read]}]
    masking: analyst
    predicates: equality
"""


def pgbouncer(folder, pg):
    port = stack.free_port()
    (folder / "users.txt").write_text(f'"dana" "{PASSWORD}"\n')
    ini = folder / "pgbouncer.ini"
    ini.write_text(f"""[databases]
ehr = host=127.0.0.1 port={pg.port} dbname=ehr user=gate_ehr password={stack.GATE_PASSWORD}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
auth_type = scram-sha-256
auth_file = {folder}/users.txt
pool_mode = session
max_client_conn = 300
default_pool_size = 200
ignore_startup_parameters = extra_float_digits
""")
    prefix = []
    if os.geteuid() == 0:
        os.chown(folder, pwd.getpwnam("postgres").pw_uid, -1)
        prefix = ["runuser", "-u", "postgres", "--"]
    process = subprocess.Popen([*prefix, "pgbouncer", "-q", str(ini)], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    stack.wait_for(lambda: stack.port_answers(port))
    return process, port


def haproxy(folder, pg):
    port = stack.free_port()
    cfg = folder / "haproxy.cfg"
    cfg.write_text(f"""global
    nbthread 2
defaults
    mode tcp
    timeout connect 5s
    timeout client 60s
    timeout server 60s
listen pg
    bind 127.0.0.1:{port}
    server s 127.0.0.1:{pg.port}
""")
    process = subprocess.Popen(["haproxy", "-f", str(cfg)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    stack.wait_for(lambda: stack.port_answers(port))
    return process, port


def run(url, mode, clients, seconds):
    done = subprocess.run([str(PGBENCH), "-n", "-S", "-M", mode, "-c", str(clients), "-j", str(min(clients, 2)),
                           "-T", str(seconds), url], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    if done.returncode != 0 or not found:
        raise SystemExit(f"pgbench failed:\n{done.stdout}")
    return float(found.group(1))


def measure(peers, seconds, rounds):
    results = {}
    for mode, clients in MODES:
        for name, url in peers.items():
            run(url, mode, clients, 3)  # warm
        for n in range(rounds):
            for name, url in peers.items():
                tps = run(url, mode, clients, seconds)
                results.setdefault((mode, clients), {}).setdefault(name, []).append(tps)
                print(f"  {mode:9} {clients:3} clients  round {n + 1}/{rounds}  {name:10} {tps:9.0f} tps", flush=True)
    return results


def table(results):
    print(f"\n{'workload':22} {'peer':10} {'median tps':>10} {'spread':>8} {'/direct':>8} {'/pgbouncer':>10}")
    rows = []
    for (mode, clients), peers in results.items():
        direct, bouncer = (statistics.median(peers[p]) for p in ("direct", "pgbouncer"))
        for name, values in peers.items():
            median = statistics.median(values)
            # Ratios within a round, then their median: neighbours in time share the machine's mood.
            to_bouncer = statistics.median(a / b for a, b in zip(values, peers["pgbouncer"]))
            spread = (max(values) - min(values)) / median
            print(f"{mode + ' ' + str(clients):22} {name:10} {median:10.0f} {spread:8.0%} {median / direct:8.2f} {to_bouncer:10.2f}")
            rows.append({"mode": mode, "clients": clients, "peer": name, "tps": values, "median": median,
                         "to_direct": median / direct, "to_pgbouncer": to_bouncer})
    return rows


def main():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=0, help="chaperone's workers; 0: one for each core")
    options = parser.parse_args()
    with stack.temporary_folder("chaperone-bench-") as folder, contextlib.ExitStack() as ends:
        pg = stack.Postgres(folder / "pg").start()
        ends.callback(pg.stop)
        pg.make_database(patients.sql(50))
        subprocess.run([str(PGBENCH), "-i", "-q", "-s", "10", pg.url()], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        pg.sql("GRANT ALL ON ALL TABLES IN SCHEMA public TO gate_ehr")
        settings = {"workers": options.workers} if options.workers else {}
        gate = stack.Gateway(folder / "gate", pg.port, extra_roles=ROLE, **settings).start()
        ends.callback(gate.stop)
        gate.cli("user", "add", "dana", input=PASSWORD + "\n")
        token = gate.cli("agent", "add", "bench", "--owner", "dana", "--purpose", "operations", "--expires",
                         "2031-01-31").stdout.strip().split()[-1]
        side = folder / "peers"
        side.mkdir()
        bouncer, bouncer_port = pgbouncer(side, pg)
        ends.callback(bouncer.terminate)
        proxy, proxy_port = haproxy(side, pg)
        ends.callback(proxy.terminate)
        target = f"gate_ehr:{stack.GATE_PASSWORD}@127.0.0.1"
        peers = {"direct": f"postgresql://{target}:{pg.port}/ehr",
                 "pgbouncer": f"postgresql://dana:{PASSWORD}@127.0.0.1:{bouncer_port}/ehr",
                 "haproxy": f"postgresql://{target}:{proxy_port}/ehr",
                 "chaperone": gate.url("bench", token)}
        load = os.getloadavg()
        started = time.time()
        rows = table(measure(peers, options.seconds, options.rounds))
        out = {"started": started, "load_before": load, "load_after": os.getloadavg(), "seconds": options.seconds,
               "rounds": options.rounds, "cores": os.cpu_count(), "rows": rows}
        (ROOT / "build/bench.json").write_text(json.dumps(out, indent=1))
        print(f"\nload before {load[0]:.1f}, after {out['load_after'][0]:.1f}; written to build/bench.json")


if __name__ == "__main__":
    main()
