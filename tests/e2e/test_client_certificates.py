"""Client certificates towards the gateway: a second factor beside the password, and its loss."""
import base64
import hashlib
import json
import pathlib
import shutil
import ssl

import conftest
import psycopg
import pytest
import stack
import test_tls_clients as tls

PASSWORD = "correct-horse-1"
EXEMPT = "client_exempt: [agent, \"group:local/privacy\"]"


class Office:
    """Two authorities, what they issued, and the files that the gateway reads."""

    def __init__(self, folder):
        self.good, self.other = stack.Certificates(folder / "good", "hospital"), stack.Certificates(folder / "other", "elsewhere")
        self.server = self.good.make("gate")
        self.dana = self.good.client("dana")
        self.erin = self.good.client("erin", common_name="Erin of Radiology", mail="erin")
        self.kim = self.good.client("kim")
        self.expired = self.good.client("dana-expired", common_name="dana", days=-2)
        self.early = self.good.client("dana-server", common_name="dana", usage="serverAuth")
        self.foreign = self.other.client("dana")
        self.revoked = self.good.client("dana-revoked", common_name="dana")
        self.ca, self.crl = folder / "clients.pem", folder / "clients.crl"
        self.believe(self.good)
        self.list(self.revoked[0])

    def believe(self, authority):
        shutil.copy(authority.ca, self.ca)

    def list(self, *certificates, authority=None, days=30):
        shutil.copy((authority or self.good).revoked(*certificates, days=days), self.crl)


@pytest.fixture(scope="module")
def office():
    with stack.temporary_folder() as folder:
        yield Office(folder)


def settings(office, more=EXEMPT):
    certificate, key = office.server
    return (f"  tls: {{cert: \"file:{certificate}\", key: \"file:{key}\", client_ca: \"file:{office.ca}\", "
            f"client_crl: \"file:{office.crl}\"{', ' + more if more else ''}}}\n")


@pytest.fixture(scope="module")
def gate(office):
    with stack.temporary_folder() as folder:
        made = conftest.Site(folder, sandbox="required", listen="127.0.0.1", gateway_tls=settings(office))
        try:
            yield made
        finally:
            made.close()


@pytest.fixture(autouse=True)
def as_it_was(gate, office):
    yield
    office.believe(office.good)
    office.list(office.revoked[0])
    gate.gate.cli("reload")


def options(pair, **more):
    chosen = {"sslcert": pair[0], "sslkey": pair[1]} if pair else {"sslcert": "/nowhere/none.crt", "sslkey": "/nowhere/none.key"}
    return {"sslmode": "require", **chosen, **more}


def psql(gate, user, pair, text="SELECT 1", **more):
    return stack.psql(gate.url(user, **options(pair, **more)), "-At", "-v", "VERBOSITY=verbose", "-c", text)


def attempts(gate):
    """Lines of the log."""
    return gate.gate.log_text().count("a client certificate is missing or not accepted")


def fingerprint(path):
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pathlib.Path(path).read_text())).hexdigest()


# --- what works -----------------------------------------------------------------------------------

@pytest.mark.core
@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_psql_with_a_certificate_of_ones_own(gate, office, version):
    for more in ({}, {"channel_binding": "require"}, {"sslmode": "verify-full", "sslrootcert": office.good.ca}):
        done = psql(gate, "dana", office.dana, "SHOW chaperone.session", ssl_min_protocol_version=version,
                    ssl_max_protocol_version=version, **more)
        assert done.returncode == 0 and done.stdout.startswith("s-"), (more, done)
    shown = gate.gate.json("session", "show", done.stdout.strip())
    assert shown["certificate_subject"] == "CN=dana" and shown["certificate_sha256"] == fingerprint(office.dana[0])
    assert "CN=dana" in gate.gate.cli("session", "show", done.stdout.strip()).stdout
    listed = gate.gate.json("session", "ls")["items"][0]
    assert listed["certificate_sha256"] == shown["certificate_sha256"]


def test_an_e_mail_address_names_too(gate, office):
    with psycopg.connect(gate.url("erin", **options(office.erin))) as c:
        assert c.pgconn.ssl_in_use and c.execute("SELECT 1").fetchone() == (1,)
        session = c.execute("SHOW chaperone.session").fetchone()[0]
    assert gate.gate.json("session", "show", session)["certificate_subject"] == "CN=Erin of Radiology"


def test_the_record_has_subject_and_fingerprint(gate, office):
    session = psql(gate, "dana", office.dana, "SHOW chaperone.session").stdout.strip()
    played = gate.gate.cli("session", "play", session, "-o", "jsonl", token=gate.tokens["pat"]).stdout
    start = next(json.loads(base64.b64decode(line["data"])) for line in map(json.loads, played.splitlines()) if line["type"] == "session.start")
    assert start["certificate_subject"] == "CN=dana" and start["certificate_sha256"] == fingerprint(office.dana[0])


def test_who_is_exempt_comes_without(gate, office):
    assert psql(gate, "ai-triage", None).returncode == 0
    assert psql(gate, "ai-triage", None, sslmode="disable").returncode == 0
    session = psql(gate, "ai-triage", None, "SHOW chaperone.session").stdout.strip()
    assert gate.gate.json("session", "show", session)["certificate_sha256"] == ""


# --- what does not --------------------------------------------------------------------------------

REFUSED = {
    "expired": ("expired", "has expired"),
    "another authority": ("foreign", "not issued by an authority that the gateway believes"),
    "revoked": ("revoked", "is revoked"),
    "a server's": ("early", "not for clients"),
    "another person's": ("erin", "somebody else's"),
}


@pytest.mark.core
@pytest.mark.parametrize("what", REFUSED)
@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
def test_one_that_is_not_accepted(gate, office, what, version):
    name, words = REFUSED[what]
    before = attempts(gate)
    done = psql(gate, "dana", getattr(office, name), ssl_max_protocol_version=version)
    assert done.returncode != 0 and "FATAL" in done.stderr
    assert "CHP-3304" in done.stderr and words in done.stderr, done
    assert attempts(gate) == before + 1


def test_the_sqlstate_is_postgresqls(gate, office):
    s = tls.connect(gate)
    s.sendall(tls.SSL_REQUEST)
    assert s.recv(1) == b"S"
    c = tls.context(office.good.ca)
    c.load_cert_chain(*office.foreign)
    with pytest.raises(PermissionError) as refused:
        tls.TlsClient(c.wrap_socket(s, server_hostname="localhost"), "dana", PASSWORD)
    said = refused.value.args[0]
    assert said["S"] == "FATAL" and said["C"] == "28000" and "CHP-3304, s-" in said["M"]


def test_none_at_all(gate, office):
    for more in ({}, {"sslmode": "disable"}):
        done = psql(gate, "dana", None, **more)
        assert done.returncode != 0 and "CHP-3304" in done.stderr and "no client certificate was shown" in done.stderr


def test_without_one_nobody_learns_whether_the_password_was_right(gate):
    said = set()
    for user, password in (("dana", PASSWORD), ("dana", "wrong"), ("nobody", "wrong")):
        done = stack.psql(gate.gate.url(user, password, **options(None)), "-c", "SELECT 1")
        assert done.returncode != 0
        said.add(done.stderr.split("s-")[0])
    assert len(said) == 1 and "CHP-3304" in said.pop()


def test_a_certificate_is_never_enough(gate, office):
    done = stack.psql(gate.gate.url("dana", "wrong", **options(office.dana)), "-c", "SELECT 1")
    assert done.returncode != 0 and "CHP-3301" in done.stderr


def test_exempt_and_with_another_persons(gate, office):
    """What is shown is checked, needed or not."""
    done = psql(gate, "ai-triage", office.dana)
    assert done.returncode != 0 and "somebody else's" in done.stderr


def test_the_record_of_a_refusal(gate, office):
    psql(gate, "dana", office.foreign)
    gate.gate.cli("audit", "checkpoint")
    assert gate.gate.cli("audit", "verify").returncode == 0


# --- reload ---------------------------------------------------------------------------------------

def test_another_authority_cuts_whom_the_old_one_issued(gate, office):
    with psycopg.connect(gate.url("dana", **options(office.dana))) as c, \
            psycopg.connect(gate.url("ai-triage", **options(None))) as agent:
        c.execute("SELECT 1")
        office.believe(office.other)
        office.list(authority=office.other)
        gate.gate.cli("reload")
        with pytest.raises(psycopg.OperationalError, match="client certificate is not accepted any more"):
            c.execute("SELECT 1")
        assert agent.execute("SELECT 1").fetchone() == (1,)
    assert psql(gate, "dana", office.dana).returncode != 0
    assert psql(gate, "dana", office.foreign).returncode == 0


def test_a_revoked_one_is_cut(gate, office):
    with psycopg.connect(gate.url("dana", **options(office.dana))) as c, \
            psycopg.connect(gate.url("erin", **options(office.erin))) as other:
        c.execute("SELECT 1")
        office.list(office.dana[0])
        gate.gate.cli("reload")
        with pytest.raises(psycopg.OperationalError, match="revoked"):
            c.execute("SELECT 1")
        assert other.execute("SELECT 1").fetchone() == (1,)
    assert "revoked" in psql(gate, "dana", office.dana).stderr


def test_a_list_that_has_expired_refuses(gate, office):
    office.list(days=-1)
    gate.gate.cli("reload")
    done = psql(gate, "dana", office.dana)
    assert done.returncode != 0 and "revocation list" in done.stderr and "expired" in done.stderr


def test_narrowed_exemptions_cut(gate, office):
    config = gate.gate.config.read_text()
    with psycopg.connect(gate.url("ai-triage", **options(None))) as c:
        c.execute("SELECT 1")
        gate.gate.config.write_text(config.replace(EXEMPT, "client_exempt: [service]"))
        try:
            gate.gate.cli("reload")
            with pytest.raises(psycopg.OperationalError, match="no client certificate was shown"):
                c.execute("SELECT 1")
            assert "CHP-3304" in psql(gate, "ai-triage", None).stderr
        finally:
            gate.gate.config.write_text(config)
            gate.gate.cli("reload")


def test_a_broken_file_changes_nothing(gate, office):
    office.ca.write_text("no certificate\n")
    done = gate.gate.cli("reload", check=False)
    assert done.returncode != 0 and "client_ca" in done.stderr
    assert psql(gate, "dana", office.dana).returncode == 0


# --- for administrators ---------------------------------------------------------------------------

def test_doctor_and_status_tell_when_it_ends(gate, office):
    said = gate.gate.cli("doctor", check=False).stdout
    assert "client certificates, an authority ends in 36" in said and "a revocation list ends in 30 days" in said, said
    status = gate.gate.json("status")["tls"]
    assert status["client_ca_not_after_ns"] > 0 and status["client_crl_next_update_ns"] > 0
    office.list(days=-1)
    said = gate.gate.cli("doctor", check=False)
    assert "FAIL client certificates" in said.stdout and "a revocation list has ended" in said.stdout and said.returncode == 1


def test_validate_asks_for_the_authority(gate, office):
    text = gate.gate.config.read_text()
    wrong = gate.folder / "wrong.yaml"
    wrong.write_text(text.replace(f", client_ca: \"file:{office.ca}\"", ""))
    done = gate.gate.cli("config", "validate", str(wrong), check=False)
    assert done.returncode == 2 and "`client_crl` needs" in done.stderr and "`client_exempt` needs" in done.stderr
    wrong.write_text(text.replace(EXEMPT, "client_exempt: [human, everybody]"))
    done = gate.gate.cli("config", "validate", str(wrong), check=False)
    assert done.returncode == 2 and "must be `human`, `agent`, `service`" in done.stderr
