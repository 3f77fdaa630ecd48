"""A private PostgreSQL and a chaperone in front of it, for the demo and the tests.

Both live in one temporary folder and end with the process that made them.
"""
import contextlib
import json
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PG_BIN = pathlib.Path("/usr/lib/postgresql/15/bin")
OWNER_PASSWORD = "owner-secret-5f1c"      # the database's owner, for direct connections of tests
GATE_PASSWORD = "gate-secret-93b7"        # what callers never see


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, seconds=10, every=0.02):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = what()
        if value:
            return value
        time.sleep(every)
    raise TimeoutError(f"waited {seconds} s")


def port_answers(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def as_database_user():
    """initdb refuses root: the packages' own account does it."""
    if os.geteuid() != 0:
        return [], os.geteuid()
    return ["runuser", "-u", "postgres", "--"], pwd.getpwnam("postgres").pw_uid


class Certificates:
    """A certificate authority in a folder. Made by openssl; all names end with .pem."""

    def __init__(self, folder, name="authority"):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        os.chmod(self.folder, 0o755)
        self.ca = self.folder / "ca.pem"
        self._ssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650",
                  "-subj", f"/CN={name}", "-keyout", self.folder / "ca.key", "-out", self.ca)

    def _ssl(self, *words):
        subprocess.run(["openssl", *map(str, words)], check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def make(self, name, kind="P-256", names="DNS:localhost,IP:127.0.0.1", days=365, digest="sha256", mode=0o644,
             subject="/CN=server", usage="serverAuth"):
        """(certificate, key), for a server unless `usage` says otherwise; days below zero: expired."""
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        request, more = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        options = (["rsa", "-pkeyopt", f"rsa_keygen_bits:{kind[4:]}"] if kind.startswith("rsa:") else
                   ["ed25519"] if kind == "ed25519" else ["ec", "-pkeyopt", f"ec_paramgen_curve:{kind}"])
        more.write_text((f"subjectAltName={names}\n" if names else "") + f"extendedKeyUsage={usage}\n")
        self._ssl("req", "-newkey", *options, "-nodes", "-utf8", "-subj", subject, "-keyout", key, "-out", request)
        ends = time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + days * 86400 + 600))
        begins = time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + min(days, 0) * 86400 - 86400 * 30))
        (self.folder / "serial").write_text(f"{1000 + len(list(self.folder.iterdir())):04}")
        self._authority()
        self._ssl("ca", "-batch", "-notext", "-config", self.folder / "ca.cnf", "-cert", self.ca, "-keyfile",
                  self.folder / "ca.key", "-md", digest, "-startdate", begins, "-enddate", ends, "-extfile", more,
                  "-in", request, "-out", certificate)
        os.chmod(key, mode)
        return certificate, key

    def _authority(self):
        (self.folder / "index").write_text("")
        (self.folder / "ca.cnf").write_text(
            f"[ca]\ndefault_ca=d\n[d]\ndatabase={self.folder}/index\nserial={self.folder}/serial\ndefault_md=sha256\n"
            f"new_certs_dir={self.folder}\npolicy=p\n[p]\ncommonName=supplied\nemailAddress=optional\n")

    def client(self, name, common_name=None, mail=None, **more):
        """(certificate, key) for a client; libpq wants the key for its reader alone."""
        return self.make(name, names=f"email:{mail}" if mail else "", subject=f"/CN={common_name or name}",
                         **{"usage": "clientAuth", "mode": 0o600, **more})

    def revoked(self, *certificates, name="revoked", days=30):
        """A revocation list; days below zero: it has expired."""
        listed = self.folder / f"{name}.crl"
        self._authority()
        common = ["-config", self.folder / "ca.cnf", "-cert", self.ca, "-keyfile", self.folder / "ca.key"]
        for certificate in certificates:
            self._ssl("ca", *common, "-revoke", certificate)
        ends = time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + days * 86400))
        begins = time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() - 60 * 86400))
        self._ssl("ca", *common, "-gencrl", "-crl_lastupdate", begins, "-crl_nextupdate", ends, "-out", listed)
        return listed


class Postgres:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.port = free_port()
        self.prefix, uid = as_database_user()
        self.folder.mkdir()
        os.chown(self.folder, uid, -1)
        self.process = None

    def run(self, *args, **kwargs):
        return subprocess.run([*self.prefix, *map(str, args)], check=True, cwd="/",
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **kwargs)

    def start(self, *settings):
        data, password = self.folder / "data", self.folder / "password"
        password.write_text(OWNER_PASSWORD)
        os.chmod(password, 0o644)
        self.run(PG_BIN / "initdb", "-D", data, "-U", "owner", "--pwfile", password, "-E", "UTF8", "--locale=C",
                 "--auth=scram-sha-256", "--no-sync")
        return self.serve(*settings)

    def serve(self, *settings):
        data = self.folder / "data"
        options = {"port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": self.folder,
                   "max_connections": 300, "fsync": "off", "log_statement": "none"}
        self.log = open(self.folder / "server.log", "wb")
        self.process = subprocess.Popen(
            [*self.prefix, PG_BIN / "postgres", "-D", data, *[f"-c{k}={v}" for k, v in options.items()],
             *[f"-c{s}" for s in settings]], cwd="/", stdout=self.log, stderr=self.log, start_new_session=True)
        wait_for(lambda: self.sql("SELECT 1", database="postgres", check=False).returncode == 0)
        return self

    def standby(self, folder):
        """A running copy that follows this one."""
        copy = Postgres(folder)
        os.chown(copy.folder, self.folder.stat().st_uid, -1)
        self.run(PG_BIN / "pg_basebackup", "-D", copy.folder / "data", "-R", "-X", "stream", "-c", "fast", "-d",
                 self.url("postgres").rsplit("/", 1)[0])
        copy.serve()
        return copy

    def tls(self, certificate, key):
        """Settings for start(); the server wants its key for itself."""
        ours = []
        for path, mode in ((certificate, 0o644), (key, 0o600)):
            copy = self.folder / pathlib.Path(path).name
            shutil.copy(path, copy)
            os.chmod(copy, mode)
            os.chown(copy, self.folder.stat().st_uid, -1)
            ours.append(copy)
        return ["ssl=on", f"ssl_cert_file={ours[0]}", f"ssl_key_file={ours[1]}"]

    def url(self, database="ehr"):
        return f"postgresql://owner:{OWNER_PASSWORD}@127.0.0.1:{self.port}/{database}"

    def sql(self, text, database="ehr", check=True):
        return subprocess.run(["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", self.url(database)], input=text,
                              check=check, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def value(self, text, database="ehr"):
        return self.sql(text, database).stdout.strip()

    def make_database(self, script):
        self.sql(f"CREATE ROLE gate_ehr LOGIN PASSWORD '{GATE_PASSWORD}'; CREATE DATABASE ehr;", "postgres")
        self.sql(script)
        self.sql("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO gate_ehr; "
                 "GRANT CREATE ON SCHEMA public TO gate_ehr")

    def stop(self):
        if self.process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGINT)
            self.process.wait(20)
            self.log.close()
            self.process = None


CONFIG = """\
version: 1
gateway:
  listen: {{postgres: "{listen}:{port}"{metrics}}}
{gateway_tls}  admin_socket: {folder}/admin.sock
  hold_default: {hold}
  workers: {workers}
  sandbox: {sandbox}
  admin_users: [{admins}]
storage: {{state: sqlite:{folder}/state/state.db, journal: {folder}/state/journal, root_key: auto}}
resources:
  - name: ehr
    type: postgres
    address: {target_host}:{target}
    credentials: {{user: gate_ehr, password: file:{folder}/ehr.password}}
    tls: {{{target_tls}}}{target_more}
    labels: {{env: demo, phi: "yes"}}
roles:
  - name: clinician-analyst
    members: ["group:local/clinical"]
    allow: [{{resources: [ehr], actions: [read, write]}}]
    masking: analyst
    predicates: equality
  - name: ai-triage
    members: ["agent:ai-triage"]
    allow: [{{resources: [ehr], actions: [read, write], tables: [patient, encounter]}}]
    masking: analyst
  - {{name: privacy-office, members: ["group:local/privacy"], review: {{resources: ["*"]}}, evidence: read}}
{extra_roles}masking:
  profiles:
    - name: analyst
      rules:
        - {{resource: ehr, columns: [patient.mrn, "*.patient_mrn"], method: pseudonym, scope: ehr}}
        - {{resource: ehr, columns: [patient.birth_date], method: year}}
        - {{resource: ehr, columns: [patient.zip], method: zip3}}
        - {{classes: [name, phone, email, ssn, address], method: redact}}
        - {{resource: ehr, columns: [patient.sex, patient.city, patient.state, "encounter.*", "patient_directory.*"{clear}], method: clear}}
guardrails:
  - {{name: no-unbounded-delete, resources: [ehr], match: {{statement: [delete, update], where: absent}}, message: "DELETE and UPDATE need a WHERE clause here.", suggest: add-where}}
  - {{name: no-ddl, resources: [ehr], match: {{effect: [ddl, priv, admin, file, net, os, repl]}}}}
approvals:
  - {{name: writes-on-phi, when: {{labels: {{phi: "yes"}}, effects: [write]{when}}}, ask: {{group: privacy-office, count: 1}}, grant: {{valid: 15m}}, wait: hold-then-ticket, ticket_after: {ticket_after}, hold: {hold}}}
recording: {{budget: {{hour: {hour}, day: {day}}}, watermarks: {{sessions: {sessions_mark}, reads: {reads_mark}}}}}
"""


class Gateway:
    """chaperone serve, in a folder of its own."""

    def __init__(self, folder, target_port, build=None, prefix=(), **settings):
        self.folder = pathlib.Path(folder)
        self.binary = ROOT / (build or os.environ.get("CHAPERONE_BUILD", "build")) / "chaperone"
        self.port = free_port()
        self.config = self.folder / "chaperone.yaml"
        self.prefix = list(prefix)  # strace and the like, before the command
        self.process, self.environment = None, {}
        self.folder.mkdir(parents=True, exist_ok=True)
        os.chmod(self.folder, 0o755)
        password = self.folder / "ehr.password"
        password.write_text(GATE_PASSWORD + "\n")
        os.chmod(password, 0o644)  # the keeper has an account of its own when we are root
        values = {"hold": "10m", "workers": 2, "sandbox": os.environ.get("CHAPERONE_SANDBOX", "auto"),
                  "ticket_after": "0s", "clear": "", "when": "", "extra_roles": "", "admins": "", "hour": "1024GiB", "day": "1024GiB",
                  # Whatever volume the tests run on is not the journal's own.
                  "sessions_mark": 98, "reads_mark": 99, "listen": "127.0.0.1", "gateway_tls": "", "metrics": "",
                  "target_host": "127.0.0.1", "target_tls": "mode: disable", "target_more": ""}
        values.update(settings)
        self.config.write_text(CONFIG.format(port=self.port, folder=self.folder, target=target_port, **values))

    def start(self, wait=True):
        self.log = open(self.folder / "gateway.log", "ab")
        env = dict(os.environ, ASAN_OPTIONS="detect_leaks=0:abort_on_error=1:symbolize=0",
                   UBSAN_OPTIONS="symbolize=0", **self.environment)
        self.process = subprocess.Popen([*self.prefix, str(self.binary), "serve", "-c", str(self.config)], stdout=self.log,
                                        stderr=self.log, stdin=subprocess.DEVNULL, env=env, start_new_session=True)
        if wait:
            wait_for(self.is_ready)
        return self

    def is_ready(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"chaperone ended:\n{self.log_text()}")
        if not port_answers(self.port):
            return False
        status = self.cli("status", "--json", check=False)
        return status.returncode == 0 and all(p["ready"] for p in json.loads(status.stdout)["processes"])

    def log_text(self):
        return (self.folder / "gateway.log").read_text(errors="replace")

    def cli(self, *args, token=None, input=None, check=True, account=None):
        env = dict(os.environ, CHAPERONE_CONFIG=str(self.config), ASAN_OPTIONS="detect_leaks=0")
        env.pop("CHAPERONE_TOKEN", None)
        if token:
            env["CHAPERONE_TOKEN"] = token
        prefix = ["runuser", "-u", account, "--"] if account else []
        done = subprocess.run([*prefix, str(self.binary), *args], env=env, input=input, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=60)
        if check and done.returncode != 0:
            raise RuntimeError(f"chaperone {' '.join(args)}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def json(self, *args, token=None):
        return json.loads(self.cli(*args, "--json", token=token).stdout)

    def add_people(self):
        """dana (clinical), pat and kim (privacy), an agent; returns passwords and tokens."""
        secrets = {"dana": "correct-horse-1", "erin": "correct-horse-2", "pat": "battery-staple-3",
                   "kim": "battery-staple-4"}
        for name, group in (("dana", "clinical"), ("erin", "clinical"), ("pat", "privacy"), ("kim", "privacy")):
            self.cli("user", "add", name, "--group", group, input=secrets[name] + "\n")
        tokens = {name: self.token(name) for name in secrets}
        agent = self.cli("agent", "add", "ai-triage", "--owner", "dana", "--purpose", "treatment", "--expires",
                         "2031-01-31").stdout
        tokens["ai-triage"] = agent.strip().split()[-1]
        return secrets, tokens

    def token(self, user, ttl="8h"):
        return self.cli("token", "create", "--user", user, "--ttl", ttl).stdout.strip().split()[-1]

    def url(self, user, password, database="ehr", **options):
        tail = "&".join(f"{k}={v}" for k, v in options.items())
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}" + ("?" + tail if tail else "")

    def pids(self):
        """{'keeper': [pid], 'worker': [...], 'console': [...], 'supervisor': [...]}"""
        found = {"supervisor": [self.process.pid], "keeper": [], "worker": [], "console": []}
        for folder in pathlib.Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            with contextlib.suppress(OSError, IndexError):
                parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
                words = (folder / "cmdline").read_bytes().split(b"\0")
                if parent == self.process.pid and words[1] == b"--child":
                    found[words[2].decode()].append(int(folder.name))
        return found

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        if self.process:
            self.log.close()
        code = self.process.returncode if self.process else None
        self.process = None
        return code


def psql(url, *args, input=None, timeout=60, env=None):
    return subprocess.run(["psql", "-X", url, *args], input=input, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=timeout, env=dict(os.environ, PAGER="cat", **(env or {})))


@contextlib.contextmanager
def temporary_folder(prefix="chaperone-"):
    folder = pathlib.Path(tempfile.mkdtemp(prefix=prefix))
    os.chmod(folder, 0o755)
    try:
        yield folder
    finally:
        if os.environ.get("KEEP") != "1":
            shutil.rmtree(folder, ignore_errors=True)
