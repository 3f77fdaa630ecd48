"""A PostgreSQL client made by hand: says exactly what a test wants said, and keeps every byte it was told."""
import base64
import hashlib
import hmac
import os
import socket
import struct


def scram_final(password, bare, server_first, gs2="n,,", binding=b""):
    """RFC 5802 §3: client-final-message for what the server said first."""
    parts = dict(p.split("=", 1) for p in server_first.split(","))
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(parts["s"]), int(parts["i"]))
    key = hmac.digest(salted, b"Client Key", "sha256")
    without = f"c={base64.b64encode(gs2.encode() + binding).decode()},r={parts['r']}"
    auth = ",".join((bare, server_first, without)).encode()
    signature = hmac.digest(hashlib.sha256(key).digest(), auth, "sha256")
    return f"{without},p={base64.b64encode(bytes(a ^ b for a, b in zip(key, signature))).decode()}".encode()


class ServerClosed(Exception):
    pass


def message(tag, body=b""):
    return (tag.encode() if tag else b"") + struct.pack("!I", len(body) + 4) + body


def cstring(text):
    return (text if isinstance(text, bytes) else text.encode()) + b"\0"


def query(text):
    return message("Q", cstring(text))


def parse(text, name="", types=()):
    return message("P", cstring(name) + cstring(text) + struct.pack("!H", len(types)) +
                   b"".join(struct.pack("!I", t) for t in types))


def bind(values=(), statement="", portal="", binary=False):
    body = cstring(portal) + cstring(statement) + struct.pack("!HH", 0, len(values))
    for value in values:
        raw = None if value is None else (value if isinstance(value, bytes) else str(value).encode())
        body += struct.pack("!i", -1) if raw is None else struct.pack("!I", len(raw)) + raw
    return message("B", body + (struct.pack("!HH", 1, 1) if binary else struct.pack("!H", 0)))


def describe(name="", kind="P"):
    return message("D", kind.encode() + cstring(name))


def execute(portal="", limit=0):
    return message("E", cstring(portal) + struct.pack("!I", limit))


def close(name, kind="S"):
    return message("C", kind.encode() + cstring(name))


SYNC, FLUSH, TERMINATE = message("S"), message("H"), message("X")


def fields(body):
    """Error and notice fields by code."""
    found = {}
    for part in body.rstrip(b"\0").split(b"\0"):
        if part:
            found[chr(part[0])] = part[1:].decode(errors="replace")
    return found


def row(body):
    count, at, values = struct.unpack("!H", body[:2])[0], 2, []
    for _ in range(count):
        size = struct.unpack("!i", body[at:at + 4])[0]
        at += 4
        values.append(None if size < 0 else body[at:at + size])
        at += max(size, 0)
    return values


class Client:
    def __init__(self, port, user, password, database="ehr", timeout=20, minor=0, **settings):
        self.seen = bytearray()      # everything the server side told us
        self.buffer = b""
        self.user, self.password = user, password
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.parameters, self.key = {}, None
        pairs = {"user": user, "database": database, **settings}
        self.negotiated = None       # NegotiateProtocolVersion: minor, options
        body = struct.pack("!I", 3 << 16 | minor) + b"".join(cstring(k) + cstring(v) for k, v in pairs.items()) + b"\0"
        self.send(message("", body))
        self._sign_in()

    def send(self, *data):
        self.socket.sendall(b"".join(data))

    def _read(self, size):
        while len(self.buffer) < size:
            more = self.socket.recv(65536)
            if not more:
                raise ServerClosed()
            self.seen += more
            self.buffer += more
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken

    def receive(self):
        head = self._read(5)
        size = struct.unpack("!I", head[1:])[0]
        return chr(head[0]), self._read(size - 4)

    def until(self, tags="Z"):
        """All messages up to the first whose tag is in `tags`; FATAL errors end it too."""
        got = []
        while True:
            tag, body = self.receive()
            got.append((tag, body))
            if tag in tags or (tag == "E" and fields(body).get("S") == "FATAL"):
                return got

    def ask(self, *data):
        self.send(*data)
        return self.until()

    def query(self, text):
        return self.ask(query(text))

    def _sign_in(self):
        nonce = base64.b64encode(os.urandom(18)).decode()
        bare = f"n=,r={nonce}"
        while True:
            tag, body = self.receive()
            if tag == "E":
                raise PermissionError(fields(body))
            if tag == "R":
                code = struct.unpack("!I", body[:4])[0]
                if code == 10:
                    first = ("n,," + bare).encode()
                    self.send(message("p", cstring("SCRAM-SHA-256") + struct.pack("!I", len(first)) + first))
                elif code == 11:
                    server_first = body[4:].decode()
                    self.send(message("p", scram_final(self.password, bare, server_first)))
            elif tag == "S":
                name, value = body[:-1].split(b"\0")
                self.parameters[name.decode()] = value.decode()
            elif tag == "v":
                version, count = struct.unpack("!II", body[:8])
                self.negotiated = version, body[8:].split(b"\0")[:count]
            elif tag == "K":
                self.key = struct.unpack("!I", body[:4])[0], body[4:]
            elif tag == "Z":
                return

    def close(self):
        try:
            self.send(TERMINATE)
        except OSError:
            pass
        self.socket.close()


def tags(messages):
    return "".join(tag for tag, _ in messages)


def rows(messages):
    return [row(body) for tag, body in messages if tag == "D"]


def errors(messages):
    return [fields(body) for tag, body in messages if tag == "E"]


def notices(messages):
    return [fields(body) for tag, body in messages if tag == "N"]


def status(messages):
    return messages[-1][1].decode() if messages[-1][0] == "Z" else None


def cancel(port, key):
    with socket.create_connection(("127.0.0.1", port), 5) as s:
        s.sendall(struct.pack("!III", 12 + len(key[1]), 1234 << 16 | 5678, key[0]) + key[1])
        s.recv(1)


def refusal(connect):
    """The FATAL error with which a target that cannot be used is told: at sign-in while nobody has been there yet, else
    at the first statement; and then the connection is closed."""
    try:
        client = connect()
    except PermissionError as e:
        return e.args[0]
    got = client.ask(query("SELECT 1"))
    error = errors(got)[-1]
    assert error["S"] == "FATAL" and tags(got)[-1] == "E", got
    try:
        client.receive()
        raise AssertionError("the session goes on")
    except (ServerClosed, ConnectionResetError):
        return error


def started(client):
    """A session has a connection to its target from its first statement on."""
    assert rows(client.query("SELECT 1")) == [[b"1"]]
    return client
