"""How targets let the gateway in: MD5 where it is allowed, and what is refused."""
import contextlib

import pytest

import patients
import stack
import wire


@contextlib.contextmanager
def site(method, md5=None):
    """pg_hba.conf's method for the gateway's account, whose password is stored as MD5."""
    with stack.temporary_folder() as folder:
        pg = stack.Postgres(folder / "pg")
        pg.start()
        pg.make_database(patients.sql(5))
        hba = pg.folder / "data/pg_hba.conf"
        hba.write_text(f"host all gate_ehr 127.0.0.1/32 {method}\n" + hba.read_text())
        pg.sql(f"SET password_encryption = 'md5'; ALTER ROLE gate_ehr PASSWORD '{stack.GATE_PASSWORD}'; "
               "SELECT pg_reload_conf()", "postgres")
        gate = stack.Gateway(folder / "gate", pg.port, workers=1)
        if md5:
            gate.config.write_text(gate.config.read_text().replace("credentials: {", "credentials: {md5: " + md5 + ", "))
        gate.start()
        gate.passwords, _ = gate.add_people()
        try:
            yield gate
        finally:
            assert gate.stop() == 0
            pg.stop()


def sign_in(gate):
    return wire.Client(gate.port, "dana", gate.passwords["dana"])


@pytest.mark.core
def test_md5_where_it_is_allowed():
    with site("md5", "allow") as gate:
        client = sign_in(gate)
        assert wire.rows(client.query("SELECT id FROM patient WHERE id = 3")) == [[b"3"]]
        client.close()
        (gate.folder / "ehr.password").write_text("wrong\n")
        assert wire.refusal(lambda: sign_in(gate))["R"] == "CHP-5102"


@pytest.mark.core
@pytest.mark.parametrize("method, md5, words", [
    ("md5", None, "it asks for MD5, which `credentials.md5` does not allow"),
    ("password", "allow", "it asks for the password in clear"),
    ("trust", "allow", "it lets the gateway in without asking for a proof"),
])
def test_what_is_too_weak_is_refused(method, md5, words):
    with site(method, md5) as gate:
        with pytest.raises(PermissionError) as e:
            sign_in(gate)
        assert e.value.args[0]["R"] == "CHP-5101"
        stack.wait_for(lambda: words in gate.log_text())
