"""Before the journal's volume is full: budgets of identities, then the largest writers, then large answers."""
import contextlib
import os
import signal
import subprocess
import time

import pytest
import stack
import wire

# Text that no compression makes small: 32 bytes a row.
RANDOM = "SELECT md5(random()::text) FROM generate_series(1, {}) g"
ENDLESS = ("SELECT md5(random()::text) FROM generate_series(1, 10000) a, generate_series(1, 2000) b, "
           "generate_series(1, 1000) c")
MIB = 1 << 20


@contextlib.contextmanager
def gateway(site, **settings):
    with stack.temporary_folder() as folder:
        gate = stack.Gateway(folder / "gate", site.pg.port, when=", tables: [patient]", **settings).start()
        try:
            yield gate, *gate.add_people()
        finally:
            gate.stop()


def connect(gate, passwords, user="dana"):
    return wire.Client(gate.port, user, passwords[user])


def use_up(client):
    """Answers of about 30 KiB of record each, until one is refused; the refusal."""
    for _ in range(60):
        got = client.query(RANDOM.format(1000))
        if wire.errors(got):
            return wire.errors(got)[0]
    raise AssertionError("the budget has no end")


def works(client):
    return wire.rows(client.query("SELECT 1")) == [[b"1"]]


def restart_keeper(gate, how):
    old = gate.pids()["keeper"][0]
    os.kill(old, how)
    stack.wait_for(lambda: gate.pids()["keeper"] not in ([], [old]) and gate.is_ready(), 15)


def not_at_the_hours_end():
    """The budget of the next hour is another one."""
    left = 3600 - time.time() % 3600
    if left < 60:
        time.sleep(left + 1)


@pytest.fixture(scope="module")
def small(site):
    not_at_the_hours_end()
    with gateway(site, hour="512KiB", day="64MiB") as made:
        yield made


def test_a_budget_is_for_one_identity(small):
    gate, passwords, _ = small
    dana, other = connect(gate, passwords), connect(gate, passwords)
    error = use_up(dana)
    assert error["C"] == "53400" and error["S"] == "ERROR", error
    line = error["M"]
    for part in ("chaperone refused (rule recording-budget, d-", "recording budget of dana on ehr is used up",
                 " of 512 KiB this hour, until ", ":00 UTC; run it again then"):
        assert part in line, line
    got = dana.query("SELECT 1")  # the session lives
    assert wire.errors(got)[0]["C"] == "53400" and wire.status(got) == "I", got
    stack.wait_for(lambda: wire.errors(other.query("SELECT 1")), 2)  # another one of hers, in another worker maybe
    dana.close()
    other.close()
    third = connect(gate, passwords)  # signing in is no statement
    assert wire.errors(third.ask(wire.parse("SELECT 1"), wire.bind(), wire.execute(), wire.SYNC))[0]["C"] == "53400"
    third.close()
    erin = connect(gate, passwords, "erin")
    assert works(erin)
    erin.close()


def test_a_used_up_budget_outlives_the_keeper(small):
    gate, passwords, _ = small
    erin, dana = connect(gate, passwords, "erin"), connect(gate, passwords)
    for how in (signal.SIGTERM, signal.SIGKILL):
        restart_keeper(gate, how)
        for client in (dana, connect(gate, passwords)):
            assert wire.errors(client.query("SELECT 1"))[0]["C"] == "53400"
        assert works(erin)


def test_it_is_in_the_record(small):
    gate, passwords, tokens = small
    client = connect(gate, passwords)
    client.query("SELECT 4711")
    name = client.parameters["chaperone.session"]
    client.close()
    shown = gate.cli("session", "play", name, token=tokens["pat"]).stdout
    assert "SELECT 4711" in shown and "recording-budget" in shown, shown


def test_refusals_have_an_end_too(site):
    """Each of them is written down: whoever goes on asking is put out, and stays out."""
    not_at_the_hours_end()
    with gateway(site, hour="64KiB", day="64MiB") as (gate, passwords, _):
        client = connect(gate, passwords)
        use_up(client)
        refused, ended = 0, None
        while ended is None and refused < 5000:
            client.send(*[wire.query("SELECT 1")] * 50)
            try:
                for _ in range(50):
                    got = client.until()
                    assert wire.errors(got)[0]["C"] == "53400"
                    refused += 1
                    ended = ended or (None if wire.status(got) else wire.errors(got)[0])
            except (wire.ServerClosed, ConnectionError) as error:
                ended = ended or error
        assert ended is not None and 200 < refused < 3000, (ended, refused)
        with pytest.raises(PermissionError) as error:
            stack.wait_for(lambda: connect(gate, passwords).close(), 3)
        assert error.value.args[0]["C"] == "53400"
        assert "(rule recording-budget, s-" in error.value.args[0]["M"], error.value
        assert works(connect(gate, passwords, "erin"))


def stopped(client, *data):
    """Sends a statement whose answer is stopped, and looks at how it ended and how much of it came."""
    client.send(*data)
    got, seen = [], 0
    while not got or got[-1][0] != "Z":
        got.append(client.receive())
        seen += len(got[-1][1]) if got[-1][0] == "D" else 0
        assert seen < 64 * MIB, "nobody stops it"
    return got, wire.errors(got), seen


@pytest.mark.core
@pytest.mark.parametrize("extended", [False, True])
def test_an_answer_that_streams_is_stopped(site, extended):
    not_at_the_hours_end()
    text = ENDLESS
    data = [wire.parse(text), wire.bind(), wire.execute(), wire.SYNC] if extended else [wire.query(text)]
    with gateway(site, hour="1MiB", day="64MiB") as (gate, passwords, tokens):
        client = connect(gate, passwords)
        got, errors, seen = stopped(client, *data)
        assert errors[0]["C"] == "53400" and "recording budget" in errors[0]["M"] and len(errors) == 1, errors
        assert "(rule recording-budget, d-" in errors[0]["M"] and wire.status(got) == "I"
        assert MIB / 2 < seen < 4 * MIB, seen
        assert site.pg.value("SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND "
                             "query LIKE '%generate_series(1, 1000) c%' AND pid <> pg_backend_pid()") == "0"
        # What was begun may end.
        assert not wire.errors(client.query("ROLLBACK"))
        assert wire.errors(client.query("SELECT 1"))[0]["C"] == "53400"
        client.close()


def test_what_was_approved_runs(site):
    """Asked for while there was a budget; used up before the answer came."""
    not_at_the_hours_end()
    with gateway(site, hour="512KiB", day="64MiB") as (gate, passwords, tokens):
        update = "UPDATE patient SET phone = '(512) 555-0156' WHERE id = 32"
        shell = subprocess.Popen(["psql", "-X", gate.url("dana", passwords["dana"]), "-c", update],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        request = stack.wait_for(lambda: gate.json("approvals", token=tokens["pat"])["items"], 10)[0]
        client = connect(gate, passwords)
        use_up(client)
        assert wire.errors(client.query(update))[0]["C"] == "53400"  # nobody is asked any more
        gate.cli("approve", request["id"], token=tokens["pat"])
        out, err = shell.communicate(timeout=20)
        assert "UPDATE 1" in out, err
        client.close()


@pytest.mark.core
def test_what_a_client_sends_by_copy_counts(site):
    """Used up on the way: nothing of it is stored."""
    not_at_the_hours_end()
    site.pg.sql("CREATE TABLE poured (last_name text); GRANT ALL ON poured TO gate_ehr")
    try:
        with gateway(site, hour="1MiB", day="64MiB") as (gate, passwords, _):
            time.sleep(1)  # the catalogue of the new gateway has it
            client = connect(gate, passwords)
            client.send(wire.query("COPY poured FROM STDIN"))
            got = client.until("GZ")
            assert got[-1][0] == "G", got
            line = wire.message("d", os.urandom(32 << 10).hex().encode() + b"\n")  # half of it is what zstd leaves
            for _ in range(200):
                client.send(line)
            got = client.ask(wire.message("c"))
            error = wire.errors(got)[0]
            assert error["C"] == "53400" and "recording budget" in error["M"] and wire.status(got) == "I", error
            assert wire.errors(client.query("SELECT 1"))[0]["C"] == "53400"
            client.close()
        assert site.pg.value("SELECT count(*) FROM poured") == "0"
    finally:
        site.pg.sql("DROP TABLE poured")


def test_a_transaction_ends(site):
    not_at_the_hours_end()
    with gateway(site, hour="512KiB", day="64MiB") as (gate, passwords, _):
        client = connect(gate, passwords)
        client.query("BEGIN")
        assert use_up(client)["C"] == "53400"
        got = client.query("SELECT 1")
        assert wire.status(got) == "E"  # true on the server, too
        assert wire.status(client.query("ROLLBACK")) == "I"
        client.close()


# --- watermarks -----------------------------------------------------------------------------------


@contextlib.contextmanager
def tiny_volume(site, size_mib, **settings):
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a small tmpfs")
    with stack.temporary_folder() as folder:
        gate = stack.Gateway(folder / "gate", site.pg.port, workers=1, when=", tables: [patient]",
                             sessions_mark=80, reads_mark=90, **settings)
        journal = gate.folder / "state" / "journal"
        journal.mkdir(parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_mib}m", "tmpfs", str(journal)], check=True)
        try:
            gate.start()
            yield Volume(gate, journal)
        finally:
            gate.stop()
            subprocess.run(["umount", str(journal)], check=False)


class Volume:
    def __init__(self, gate, journal):
        self.gate, self.journal = gate, journal
        self.filler = journal / "filler"

    def disk(self):
        return self.gate.json("status")["disk"]

    def fill(self, percent):
        """The filler makes up for what is missing to `percent`, or frees what is too much."""
        v = os.statvfs(self.journal)
        size = self.filler.stat().st_size if self.filler.exists() else 0
        size += v.f_blocks * v.f_frsize * percent // 100 - (v.f_blocks - v.f_bfree) * v.f_frsize
        with open(self.filler, "ab") as f:
            f.truncate(min(size, f.tell()))  # never less than that: the keeper may be looking
            os.posix_fallocate(f.fileno(), 0, size)

    def reaches(self, level):
        stack.wait_for(lambda: level in self.disk()["level"], 5)

    def nearly_full(self):
        self.fill(93)
        self.reaches("no large answers")


@pytest.fixture(scope="module")
def volume(site):
    with tiny_volume(site, 1000) as made:
        made.passwords, made.tokens = made.gate.add_people()
        yield made


def test_80_percent_the_largest_writer_gets_no_new_session(volume):
    gate, passwords = volume.gate, volume.passwords
    dana, erin = connect(gate, passwords), connect(gate, passwords, "erin")
    assert not wire.errors(dana.query(RANDOM.format(200_000)))  # 5 MiB and more
    assert works(erin)
    volume.fill(84)
    volume.reaches("no new sessions")
    assert gate.json("status")["writers"][0]["name"] == "dana"
    with pytest.raises(PermissionError) as refused:
        connect(gate, passwords)
    error = refused.value.args[0]
    assert error["C"] == "53400", error
    for part in ("chaperone refused (rule disk-watermark, s-", "84 % full", "dana is among those who recorded the most",
                 "until it is at 78 %", "try again later"):
        assert part in error["M"], error
    with pytest.raises(PermissionError) as wrong:  # tells nothing to whoever cannot show who they are
        wire.Client(gate.port, "dana", "guess")
    assert wrong.value.args[0]["C"] == "28P01"
    second = connect(gate, passwords, "erin")
    assert works(second) and works(dana)  # sessions that live go on
    assert not wire.errors(dana.query(RANDOM.format(40_000)))  # and read
    assert "FAIL the journal's volume is 8" in gate.cli("doctor", check=False).stdout
    for client in (dana, erin, second):
        client.close()


def test_90_percent_large_answers_are_stopped(site, volume):
    gate, passwords = volume.gate, volume.passwords
    erin = connect(gate, passwords, "erin")
    volume.nearly_full()
    for text in (ENDLESS, RANDOM.format(30_000)):  # cancelled; over before it could be
        got, errors, seen = stopped(erin, wire.query(text))
        assert [e["C"] for e in errors] == ["53400"], errors
        assert "chaperone refused (rule disk-watermark, d-" in errors[0]["M"] and "256 KiB" in errors[0]["M"]
        assert seen < 2 * MIB and wire.status(got) == "I", seen
        time.sleep(0.1)
        assert works(erin)
    got, errors, seen = stopped(erin, wire.parse(RANDOM.format(30_000)), wire.bind(), wire.execute(), wire.SYNC)
    assert [e["C"] for e in errors] == ["53400"] and wire.status(got) == "I"
    time.sleep(0.1)
    small = erin.query("SELECT id, last_name, city FROM patient WHERE id < 100")
    assert not wire.errors(small) and len(wire.rows(small)) == 99
    assert not wire.errors(erin.query("UPDATE encounter SET department = 'x' WHERE id = 1"))
    shell = subprocess.Popen(["psql", "-X", gate.url("erin", passwords["erin"]), "-c",
                              "UPDATE patient SET phone = '(512) 555-0155' WHERE id = 31"],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    request = stack.wait_for(lambda: gate.json("approvals", token=volume.tokens["pat"])["items"], 10)[0]
    gate.cli("approve", request["id"], token=volume.tokens["pat"])
    out, err = shell.communicate(timeout=20)
    assert "UPDATE 1" in out, err
    erin.close()


def test_what_is_stopped_in_a_transaction_has_failed_on_the_server(volume):
    volume.nearly_full()
    erin = connect(volume.gate, volume.passwords, "erin")
    for text in (ENDLESS, RANDOM.format(30_000)):
        assert wire.status(erin.query("BEGIN")) == "T"
        got, errors, _ = stopped(erin, wire.query(text))
        assert [e["C"] for e in errors] == ["53400"] and wire.status(got) == "E", errors
        time.sleep(0.1)
        assert wire.status(erin.query("COMMIT")) == "I"
        assert works(erin)
    erin.close()


def test_a_write_before_it_in_the_pipeline_is_not_called_undone_when_it_is_not(site, volume):
    volume.nearly_full()
    erin = connect(volume.gate, volume.passwords, "erin")
    write = "UPDATE encounter SET department = 'stopped' WHERE id = 2"
    got = erin.ask(wire.parse(write), wire.bind(), wire.execute(), wire.parse(RANDOM.format(30_000)), wire.bind(),
                   wire.execute(), wire.SYNC)
    error = wire.errors(got)[0]
    written = site.pg.value("SELECT count(*) FROM encounter WHERE department = 'stopped'")
    if wire.status(got) == "I":
        assert error["C"] == "53400" and written == "0"
    else:  # the session has ended
        assert error["C"] == "XX000" and "is done and cannot be undone" in error["M"], error
    erin.close()


def test_when_there_is_room_again_everything_works(volume):
    gate, passwords = volume.gate, volume.passwords
    dana = connect(gate, passwords) if volume.disk()["level"] == "normal" else None
    if dana:
        assert not wire.errors(dana.query(RANDOM.format(200_000)))
    volume.nearly_full()
    volume.fill(79)  # not yet: a level ends 2 percent below
    volume.reaches("no new sessions")
    with pytest.raises(PermissionError):
        connect(gate, passwords)
    volume.filler.unlink()
    volume.reaches("normal")
    dana = connect(gate, passwords)
    assert not wire.errors(dana.query(RANDOM.format(30_000)))
    dana.close()
