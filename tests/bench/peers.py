"""What ./dev bench compares: one PostgreSQL, and the roads to it."""
import contextlib
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "demo")]

import patients  # noqa: E402
import stack  # noqa: E402

PGBENCH = stack.PG_BIN / "pgbench"
PASSWORD = "correct-horse-1"
# An agent: a token has as many rounds of PBKDF2 as PgBouncer's passwords, a person's password many more, and pgbench
# does those within its own time.
ROLE = """  - name: bench
    members: ["agent:bench"]
    allow: [{resources: [ehr], actions: [read]}]
    masking: analyst
    predicates: equality
"""
CLEAR = ', "pgbench_accounts.*"'


class Peer:
    """One road. `pids` are the processes whose CPU and memory it is made of."""

    def __init__(self, name, url, pids=lambda: []):
        self.name, self.url, self.pids = name, url, pids

    def cpu_ns(self):
        """Run so far, all threads."""
        total = 0
        for pid in self.pids():
            for task in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"):
                with contextlib.suppress(OSError):
                    total += int(task.read_text().split()[0])
        return total

    def memory(self):
        """Bytes, shared pages divided among those who share them."""
        total = 0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                    if line.startswith("Pss:"):
                        total += int(line.split()[1]) * 1024
        return total


def started(command, port, ends, **options):
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               **options)
    ends.callback(process.wait)
    ends.callback(process.terminate)
    stack.wait_for(lambda: stack.port_answers(port))
    return process


def children(pid):
    found = subprocess.run(["pgrep", "-P", str(pid)], text=True, stdout=subprocess.PIPE).stdout.split()
    return [pid, *(int(child) for child in found)]


def pgbouncer(folder, pg, ends, tls=None):
    port = stack.free_port()
    folder.mkdir()
    (folder / "users.txt").write_text(f'"dana" "{PASSWORD}"\n')
    secured = (f"client_tls_sslmode = require\nclient_tls_cert_file = {folder}/tls.pem\nclient_tls_key_file = {folder}/tls.key\n"
               "server_tls_sslmode = require\n") if tls else "server_tls_sslmode = disable\n"
    (folder / "pgbouncer.ini").write_text(f"""[databases]
ehr = host=127.0.0.1 port={pg.port} dbname=ehr user=gate_ehr password={stack.GATE_PASSWORD}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
auth_type = scram-sha-256
auth_file = {folder}/users.txt
pool_mode = session
max_client_conn = 1000
default_pool_size = 250
ignore_startup_parameters = extra_float_digits
{secured}""")
    for path, name in zip(tls or (), ("tls.pem", "tls.key")):
        (folder / name).write_bytes(pathlib.Path(path).read_bytes())
    prefix, uid = stack.as_database_user()
    for path in (folder, *folder.iterdir()):
        os.chown(path, uid, -1)
    process = started([*prefix, "pgbouncer", "-q", folder / "pgbouncer.ini"], port, ends)
    return Peer("pgbouncer", f"postgresql://dana:{PASSWORD}@127.0.0.1:{port}/ehr", lambda: children(process.pid))


def haproxy(folder, pg, ends):
    port = stack.free_port()
    folder.mkdir()
    (folder / "haproxy.cfg").write_text(f"""global
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
    process = started(["haproxy", "-f", folder / "haproxy.cfg"], port, ends)
    return Peer("haproxy", direct_url(port), lambda: [process.pid])


def relay(pg, ends):
    port = stack.free_port()
    subprocess.run(["ninja", "-C", ROOT / "build", "tests/bench/relay"], check=True, stdout=subprocess.DEVNULL)
    process = started([ROOT / "build/tests/bench/relay", port, pg.port], port, ends)
    return Peer("relay", direct_url(port), lambda: [process.pid])


def chaperone(folder, pg, ends, name="chaperone", **settings):
    gate = stack.Gateway(folder, pg.port, extra_roles=ROLE, clear=CLEAR, **settings).start()
    ends.callback(gate.stop)
    gate.cli("user", "add", "dana", input=PASSWORD + "\n")
    token = gate.cli("agent", "add", "bench", "--owner", "dana", "--purpose", "operations", "--expires",
                     "2031-01-31").stdout.strip().split()[-1]
    return Peer(name, gate.url("bench", token), lambda: [pid for pids in gate.pids().values() for pid in pids])


def direct_url(port):
    return f"postgresql://gate_ehr:{stack.GATE_PASSWORD}@127.0.0.1:{port}/ehr"


def make(folder, ends, workers):
    """The roads without TLS, and those with TLS on both sides."""
    authority = stack.Certificates(folder / "tls")
    mine, theirs = authority.make("gateway"), authority.make("target")
    pg = stack.Postgres(folder / "pg")
    pg.start(*pg.tls(*theirs))
    ends.callback(pg.stop)
    pg.make_database(patients.sql(250))
    subprocess.run([str(PGBENCH), "-i", "-q", "-s", "10", pg.url()], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    pg.sql("GRANT ALL ON ALL TABLES IN SCHEMA public TO gate_ehr")
    settings = {"workers": workers} if workers else {}
    plain = [Peer("direct", direct_url(pg.port) + "?sslmode=disable"), relay(pg, ends),
             pgbouncer(folder / "pgbouncer", pg, ends), haproxy(folder / "haproxy", pg, ends),
             chaperone(folder / "gate", pg, ends, **settings)]
    secured = [Peer("direct", direct_url(pg.port) + "?sslmode=require"),
               pgbouncer(folder / "pgbouncer-tls", pg, ends, mine),
               chaperone(folder / "gate-tls", pg, ends, **settings, target_host="localhost",
                         gateway_tls=f"  tls: {{cert: 'file:{mine[0]}', key: 'file:{mine[1]}'}}\n",
                         target_tls=f"mode: verify-full, ca: 'file:{authority.ca}'")]
    for peer in secured[1:]:
        peer.url += "?sslmode=require"
    return ({peer.name: peer for peer in plain}, {peer.name: peer for peer in secured})
