import pathlib
import sys
import threading

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "demo"), str(ROOT / "tests/e2e")]

import patients  # noqa: E402
import stack  # noqa: E402
import wire  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "core: runs under the sanitizers too")


def at_once(count, one):
    """Runs one() in `count` threads. What it returned, and what it raised."""
    done, failed = [], []

    def run():
        try:
            done.append(one())
        except Exception as e:
            failed.append(repr(e))

    threads = [threading.Thread(target=run) for _ in range(count)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    return done, failed


class Site:
    """One database, one gateway, people who can sign in."""

    def __init__(self, folder, pg_tls=None, **settings):
        self.folder = folder
        self.pg = stack.Postgres(folder / "pg")
        self.pg.start(*(self.pg.tls(*pg_tls) if pg_tls else ()))
        self.pg.make_database(patients.sql(250))
        self.people = list(patients.people(250))
        # Writes on patient wait for a person; writes on encounter do not.
        settings.setdefault("when", ", tables: [patient]")
        self.gate = stack.Gateway(folder / "gate", self.pg.port, **settings).start()
        self.passwords, self.tokens = self.gate.add_people()

    def url(self, user="dana", **options):
        return self.gate.url(user, self.passwords.get(user) or self.tokens[user], **options)

    def wire(self, user="dana", **settings):
        return wire.Client(self.gate.port, user, self.passwords.get(user) or self.tokens[user], **settings)

    def psql(self, text, user="dana", *args, **kwargs):
        return stack.psql(self.url(user), *args, input=text, **kwargs)

    def secrets(self):
        """What must never be seen by a caller, in a log, or in a file at rest."""
        hidden = [stack.GATE_PASSWORD, *self.passwords.values(), *self.tokens.values()]
        return hidden

    def canaries(self):
        return [person[column] for person in self.people for column in ("ssn", "mrn", "last_name", "phone", "email")]

    def close(self):
        code = self.gate.stop()
        self.pg.stop()
        return code


@pytest.fixture(scope="session")
def site():
    with stack.temporary_folder() as folder:
        made = Site(folder)
        try:
            yield made
        finally:
            made.close()


@pytest.fixture
def client(site):
    c = site.wire()
    yield c
    c.close()
