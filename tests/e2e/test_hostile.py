"""Hostile input: one clear refusal each, and nobody else notices."""
import os
import socket
import struct

import pytest
import wire


@pytest.fixture
def neighbour(site):
    c = site.wire("erin")
    yield c
    assert wire.rows(c.query("SELECT 7")) == [[b"7"]]
    c.close()


TEXTS = {
    "many terms": "SELECT " + "+".join(["1"] * 5200),
    "parentheses": "SELECT " + "(" * 500_000 + "1" + ")" * 500_000,
    "long": "SELECT '" + "x" * (1 << 20) + "'",
    "nested selects": "SELECT * FROM " + "(SELECT * FROM " * 3000 + "patient" + ") x" * 3000,
    "unterminated": "SELECT 'abc",
    "open comment": "/* " * 1000,
}


@pytest.mark.core
@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("extended", [False, True])
def test_statements_that_would_overflow_a_parser(client, neighbour, name, extended):
    got = client.ask(wire.parse(TEXTS[name]), wire.SYNC) if extended else client.query(TEXTS[name])
    assert len(wire.errors(got)) == 1 and "chaperone refused" in wire.errors(got)[0]["M"]
    assert wire.status(got) == "I"
    assert wire.rows(client.query("SELECT 1")) == [[b"1"]]


@pytest.mark.core
@pytest.mark.parametrize("text", [b"SELECT '\xff\xfe'", b"SELECT 1\0; UPDATE patient SET city = 'x'", b"SELECT '\xed\xa0\x80'"])
def test_invalid_text(client, neighbour, text):
    got = client.ask(wire.message("Q", text + b"\0"))
    assert len(wire.errors(got)) == 1 and wire.status(got) == "I", got
    assert wire.rows(client.query("SELECT 1")) == [[b"1"]]


@pytest.mark.core
@pytest.mark.parametrize("raw", [
    b"Q" + struct.pack("!I", 1 << 30), b"Q" + struct.pack("!I", 3), b"Q\xff\xff\xff\xff", b"\x00\x00\x00\x00\x08",
    b"p\x00\x00\x00\x04", b"Z\x00\x00\x00\x05I", b"B\x00\x00\x00\x05x",
])
def test_broken_frames_end_that_connection_only(client, neighbour, raw):
    client.send(raw)
    got = client.until("E")
    assert wire.fields(got[-1][1])["S"] == "FATAL"
    with pytest.raises((wire.ServerClosed, ConnectionError)):
        client.receive()


@pytest.mark.core
def test_bad_first_packets(site, neighbour):
    for raw in (b"\0\0\0\x04", b"\0\0\0\x03", struct.pack("!I", 1 << 30), struct.pack("!II", 8, 2 << 16),
                struct.pack("!II", 8, 80877103) + b"extra", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\0\0"):
        with socket.create_connection(("127.0.0.1", site.gate.port), 10) as s:
            s.sendall(raw)
            s.shutdown(socket.SHUT_WR)
            answer = b""
            while chunk := s.recv(4096):
                answer += chunk
            assert answer[:1] in (b"", b"E", b"N"), (raw, answer)


def test_tls_is_declined_and_gss_too(site):
    for code in (80877103, 80877104):
        with socket.create_connection(("127.0.0.1", site.gate.port), 10) as s:
            s.sendall(struct.pack("!II", 8, code))
            assert s.recv(1) == b"N"


def test_a_client_that_never_reads_holds_nobody_up(site, neighbour):
    c = site.wire()
    c.send(*[wire.query("SELECT generate_series(1, 200000)")] * 3)
    assert wire.rows(neighbour.query("SELECT 5")) == [[b"5"]]
    c.socket.close()


@pytest.mark.core
def test_a_long_legal_statement_is_one_sessions_business(site, neighbour):
    """Understood on a thread of its own: it works, and neighbours on the same worker do not wait."""
    import threading
    import time
    # Sanitizers take their time: less text for the same 2 s.
    numbers = ",".join(str(n) for n in range(1, 15_000 if os.environ.get("CHAPERONE_BUILD") else 60_000))
    text = f"SELECT id FROM patient WHERE id IN ({numbers}) AND id < 4 ORDER BY id"
    clients = [site.wire() for _ in range(4)]
    results = []
    threads = [threading.Thread(target=lambda c=c: results.append(c.query(text))) for c in clients]
    slowest = 0.0
    for t in threads:
        t.start()
    while any(t.is_alive() for t in threads):
        started = time.monotonic()
        assert wire.rows(neighbour.query("SELECT 1")) == [[b"1"]]
        slowest = max(slowest, time.monotonic() - started)
    assert [wire.rows(r) for r in results] == [[[b"1"], [b"2"], [b"3"]]] * 4, results
    assert slowest < 1.0, slowest
    for c in clients:
        c.close()


@pytest.mark.core
def test_a_long_statement_prepared_and_run_twice(site, client):
    numbers = ",".join(str(n) for n in range(1, 3_000))
    text = f"SELECT id FROM patient WHERE id IN ({numbers}) AND id = $1"
    got = client.ask(wire.parse(text, "long"), wire.bind([2], "long"), wire.execute(), wire.bind([3], "long"),
                     wire.execute(), wire.SYNC)
    assert wire.rows(got) == [[b"2"], [b"3"]], got
