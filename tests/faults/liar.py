"""A PostgreSQL server that lies: the real one, and a proxy before it that puts words into its mouth.

A statement with `lie:NAME` in a comment gets the answer of that name; `signin` names what new connections meet."""
import base64
import contextlib
import re
import socket
import struct
import threading

import stack
from wire import cstring, message

CANARY = "CANARY-7731"
READY = message("Z", b"I")
TEXT, INT4 = 25, 23


def receive(sock, size):
    data = b""
    while len(data) < size:
        more = sock.recv(size - len(data))
        if not more:
            raise ConnectionError("closed")
        data += more
    return data


def next_message(sock):
    head = receive(sock, 5)
    return head[:1].decode("latin-1"), receive(sock, struct.unpack("!I", head[1:])[0] - 4)


def description(*columns):
    """(name, table oid, attribute, type oid) for each."""
    return message("T", struct.pack("!H", len(columns)) + b"".join(
        cstring(name) + struct.pack("!IhIhih", table, attribute, kind, -1, -1, 0) for name, table, attribute, kind in columns))


def data_row(*cells):
    return message("D", struct.pack("!H", len(cells)) + b"".join(
        struct.pack("!i", -1) if c is None else struct.pack("!I", len(c)) + c for c in map(raw, cells)))


def raw(cell):
    return cell if cell is None or isinstance(cell, bytes) else cell.encode()


def complete(tag="SELECT 1"):
    return message("C", cstring(tag))


def failure(kind="E", **fields):
    given = {"S": "ERROR", "V": "ERROR", "C": "XX000", "M": "no", **fields}
    return message(kind, b"".join(k.encode() + cstring(v) for k, v in given.items()) + b"\0")


class Liar:
    """`lies`: name -> bytes sent instead of the answer, or a function of the socket."""

    def __init__(self, target, lies):
        self.target, self.lies, self.signin = target, lies, None
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port = self.listener.getsockname()[1]
        self.open, self.stall = set(), threading.Event()
        self.stall.set()             # cleared: nothing is passed on, in either direction
        self.delay_s = 0.0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=[near], daemon=True).start()

    def _serve(self, near):
        with contextlib.suppress(OSError, ConnectionError, struct.error), near:
            size = struct.unpack("!I", receive(near, 4))[0]
            startup = struct.pack("!I", size) + receive(near, size - 4)
            if self.signin:
                SIGNINS[self.signin](near)
                return
            with socket.create_connection(("127.0.0.1", self.target)) as far:
                self.open.add(near)
                far.sendall(startup)
                state = {"lie": None}
                threading.Thread(target=self._answers, args=[far, near, state], daemon=True).start()
                self._questions(near, far, state)
        self.open.discard(near)

    def _questions(self, near, far, state):
        """A lie is told at the end of the message that it stands in, or at Sync."""
        while True:
            tag, body = next_message(near)
            self.stall.wait()
            found = re.search(rb"lie:(\w+)", body) if tag in "QP" else None
            if found:
                state["lie"] = found.group(1).decode()
            if state["lie"] is None:
                far.sendall(message(tag, body))
            elif tag in "QS":
                lie, state["lie"] = self.lies[state["lie"]], None
                if tag == "S":
                    near.sendall(message("1") + message("2"))
                near.sendall(lie) if isinstance(lie, bytes) else lie(near)

    def _answers(self, far, near, _):
        with contextlib.suppress(OSError, ConnectionError):
            while more := far.recv(65536):
                self.stall.wait()
                if self.delay_s:
                    threading.Event().wait(self.delay_s)
                near.sendall(more)
        with contextlib.suppress(OSError):
            near.shutdown(socket.SHUT_RDWR)

    def reset(self):
        """All connections end with RST."""
        for near in list(self.open):
            with contextlib.suppress(OSError):
                near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                near.shutdown(socket.SHUT_RD)  # its own thread closes it

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.reset()


# --- sign-in ------------------------------------------------------------------------------------


def authentication(code, body=b""):
    return message("R", struct.pack("!I", code) + body)


def scram(near, nonce="", iterations=4096, salt=b"0123456789abcdef", final=None):
    near.sendall(authentication(10, cstring("SCRAM-SHA-256") + b"\0"))
    _, first = next_message(near)
    ours = re.search(rb"r=([^,]+)", first).group(1).decode()
    text = f"r={nonce if nonce else ours + 'server'},s={base64.b64encode(salt).decode()},i={iterations}"
    near.sendall(authentication(11, text.encode()))
    next_message(near)
    if final is not None:
        near.sendall(authentication(12, final) + authentication(0) + message("K", struct.pack("!II", 1, 2)) + READY)
    stack.wait_for(lambda: near.recv(1) == b"", 20)


def says(*data):
    def serve(near):
        near.sendall(b"".join(data))
        with contextlib.suppress(OSError):
            near.settimeout(20)
            near.recv(1)
    return serve


SIGNINS = {
    "iterations_many": lambda near: scram(near, iterations=10**9),
    "iterations_few": lambda near: scram(near, iterations=1),
    "nonce_of_its_own": lambda near: scram(near, nonce="x" * 40),
    "salt_long": lambda near: scram(near, salt=b"s" * 60000),
    "signature_wrong": lambda near: scram(near, final=b"v=" + base64.b64encode(b"x" * 32)),
    "signature_error": lambda near: scram(near, final=f"e={CANARY}".encode()),
    "cleartext": says(authentication(3)),
    "md5": says(authentication(5, b"salt")),
    "no_proof": says(authentication(0), message("K", struct.pack("!II", 1, 2)), READY),
    "kerberos": says(authentication(7)),
    "other_mechanism": says(authentication(10, cstring("OAUTHBEARER") + b"\0")),
    "sasl_out_of_turn": says(authentication(11, b"r=x,s=eA==,i=4096")),
    "final_out_of_turn": says(authentication(12, b"v=x")),
    "error_with_values": says(failure(S="FATAL", C="28000", M=CANARY, D=CANARY, H=CANARY)),
    "rows_before_sign_in": says(data_row(CANARY), complete(), READY),
    "long_message": says(b"R" + struct.pack("!I", 0x7fffffff)),
    "nothing_but_notices": says(failure("N", S="NOTICE", C="00000", M=CANARY) * 3000),
}
