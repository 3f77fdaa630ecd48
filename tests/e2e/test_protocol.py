"""Versions of the protocol, and keys to cancel with. Debian's libpq speaks 3.0 only, so the client is made by hand."""
import socket
import struct
import threading
import time

import pytest

import stack
import wire

V3, V3_2 = 3 << 16, 3 << 16 | 2
SLOW = "SELECT count(*) FROM generate_series(1, 2000) a, generate_series(1, 2000) b, generate_series(1, 200) c"
HELD = "UPDATE patient SET phone = '(512) 555-0177' WHERE id = 17"


def first_packet(site, *words):
    """What comes back for 32-bit words in a packet of their own, up to the end."""
    with socket.create_connection(("127.0.0.1", site.gate.port), 10) as s:
        s.sendall(struct.pack("!I", 4 + sum(map(len, words))) + b"".join(words))
        said = b""
        while more := s.recv(4096):
            said += more
        return said


def number(n):
    return struct.pack("!I", n)


@pytest.mark.core
@pytest.mark.parametrize("minor, options, negotiated, key_bytes", [
    (0, {}, None, 4),
    (2, {}, None, 32),
    (1, {}, (V3, []), 4),                                   # never spoken by anybody
    (3, {}, (V3_2, []), 32),
    (9999, {"_pq_.test_protocol_negotiation": ""}, (V3_2, [b"_pq_.test_protocol_negotiation"]), 32),
    (0, {"_pq_.a": "1", "_pq_.b": "2"}, (V3, [b"_pq_.a", b"_pq_.b"]), 4),
])
def test_versions_are_negotiated(site, minor, options, negotiated, key_bytes):
    client = site.wire(minor=minor, **options)
    assert client.negotiated == negotiated
    assert len(client.key[1]) == key_bytes
    got = client.ask(wire.parse("SELECT id FROM patient WHERE id = $1"), wire.bind([3]), wire.describe(),
                     wire.execute(), wire.SYNC)
    assert wire.tags(got) == "12TDCZ" and wire.rows(got) == [[b"3"]]
    client.close()


@pytest.mark.core
def test_other_major_versions_are_refused_in_words_that_they_can_read(site):
    old = first_packet(site, number(2 << 16), b"ehr\0".ljust(64, b"\0"), b"dana\0".ljust(228, b"\0"))
    assert old.startswith(b"EFATAL:  ") and old.endswith(b"\n\0") and b"protocol 2.0 is not spoken here" in old
    new = first_packet(site, number(4 << 16), b"user\0dana\0\0")
    error = wire.fields(new[5:])
    assert error["C"] == "08P01" and error["R"] == "CHP-5401"
    assert "protocol 4.0 is not spoken here, only 3.0 and 3.2" in error["M"]


@pytest.mark.core
def test_gss_is_answered_no_and_the_connection_goes_on(site):
    with socket.create_connection(("127.0.0.1", site.gate.port), 10) as s:
        s.sendall(struct.pack("!II", 8, 1234 << 16 | 5680))
        assert s.recv(10) == b"N"
        body = number(V3_2) + b"user\0dana\0database\0ehr\0\0"
        s.sendall(struct.pack("!I", len(body) + 4) + body)
        assert s.recv(1) == b"R"


@pytest.mark.core
@pytest.mark.parametrize("minor", [0, 2])
def test_the_key_cancels_whatever_worker_it_comes_to(site, minor):
    client = site.wire(minor=minor)
    for _ in range(3):
        got = []
        asking = threading.Thread(target=lambda: got.extend(client.query(SLOW)))
        asking.start()
        time.sleep(0.4)
        wire.cancel(site.gate.port, client.key)
        asking.join(20)
        assert wire.errors(got)[0]["C"] == "57014"
    client.close()


@pytest.mark.core
def test_a_wrong_key_of_any_length_cancels_nothing(site):
    """A held command stays held, and its own key withdraws it then."""
    client = site.wire(minor=2)
    client.send(wire.query(HELD))
    stack.wait_for(lambda: site.gate.json("approvals", token=site.tokens["pat"])["items"], 10)
    pid, key = client.key
    for wrong in (key[:4], key[:31], key + b"\0", bytes(32), b"\0" * 256, key[::-1]):
        for _ in range(4):      # to this worker and to others
            wire.cancel(site.gate.port, (pid, wrong))
    time.sleep(0.5)
    assert len(site.gate.json("approvals", token=site.tokens["pat"])["items"]) == 1
    wire.cancel(site.gate.port, client.key)
    assert wire.errors(client.until())[0]["C"] == "57014"
    client.close()
