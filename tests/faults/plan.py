"""What the library of faults.c is to do, in memory that test and processes share; the struct is there, too."""
import ctypes
import errno
import mmap
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROCESSES = ("supervisor", "keeper", "worker", "console")
CALLS = ("read", "write", "pread", "pwrite", "send", "recv", "sendmsg", "recvmsg", "fdatasync", "fsync", "ftruncate",
         "fallocate", "open", "rename", "unlink", "mmap", "malloc", "epoll_ctl", "socketpair", "socket", "connect",
         "accept4", "setsockopt", "getsockopt", "memfd_create", "pipe2", "dup", "fcntl", "fstat", "statvfs", "fork",
         "opendir", "getrandom")
FAIL, SHORT, LATE = range(3)


class Frame(ctypes.Structure):
    _fields_ = [("module", ctypes.c_char * 48), ("offset", ctypes.c_uint64)]


class Struct(ctypes.Structure):
    _fields_ = [("armed", ctypes.c_uint32), ("process", ctypes.c_uint32), ("call", ctypes.c_uint32),
                ("action", ctypes.c_uint32), ("error", ctypes.c_uint32), ("every", ctypes.c_uint32),
                ("n", ctypes.c_uint64), ("late_ms", ctypes.c_uint64), ("fired", ctypes.c_uint64),
                ("fired_pid", ctypes.c_uint64), ("clock_ns", ctypes.c_int64 * len(PROCESSES)),
                ("calls", ctypes.c_uint64 * len(CALLS) * len(PROCESSES)), ("frames", Frame * 24)]


class Plan:
    """One for each gateway. Put `environment()` into it before it starts."""

    def __init__(self, folder):
        self.build = ROOT / os.environ.get("CHAPERONE_BUILD", "build")
        self.path, self.library = pathlib.Path(folder) / "faults.plan", pathlib.Path(folder) / "libfaults.so"
        self.library.write_bytes((self.build / "tests/faults/libfaults.so").read_bytes())
        os.chmod(self.library, 0o755)
        self.path.write_bytes(bytes(ctypes.sizeof(Struct)))
        os.chmod(self.path, 0o666)  # keeper and workers have accounts of their own
        with open(self.path, "r+b") as f:
            self.memory = mmap.mmap(f.fileno(), 0)
        self.at = Struct.from_buffer(self.memory)

    def environment(self):
        return {"LD_PRELOAD": str(self.library), "FAULTS_PLAN": str(self.path)}

    def count(self):
        """From now on calls are counted; none fails."""
        self._arm(PROCESSES[0], CALLS[0], FAIL, 0, 2**63, False)

    def fail(self, process, call, n, action, every=False):
        """`action`: the name of an errno, or SHORT."""
        short = action == "SHORT"
        self._arm(process, call, SHORT if short else FAIL, 0 if short else getattr(errno, action), n, every)

    def late(self, process, call, ms, n=1):
        """The n-th call and all that follow take that much longer."""
        self.at.late_ms = ms
        self._arm(process, call, LATE, 0, n, True)

    def _arm(self, process, call, action, error, n, every):
        self.disarm()
        ctypes.memset(self.at.calls, 0, ctypes.sizeof(self.at.calls))
        ctypes.memset(self.at.frames, 0, ctypes.sizeof(self.at.frames))
        self.at.process, self.at.call, self.at.action = PROCESSES.index(process), CALLS.index(call), action
        self.at.error, self.at.n, self.at.every, self.at.fired, self.at.fired_pid = error, n, every, 0, 0
        self.at.armed = 1

    def disarm(self):
        self.at.armed = 0

    def calls(self):
        return {(p, c): self.at.calls[i][j] for i, p in enumerate(PROCESSES) for j, c in enumerate(CALLS)
                if self.at.calls[i][j]}

    def shift_clock(self, seconds):
        for i in range(len(PROCESSES)):
            self.at.clock_ns[i] = int(seconds * 1_000_000_000)

    def modules(self):
        """Who called, innermost first."""
        return [f.module.decode() for f in self.at.frames if f.module and not f.module.startswith(b"libfaults")]

    def where(self):
        """The call that failed, by name and line, as far as there are any."""
        found = []
        for f in self.at.frames:
            if not f.module or f.module.startswith(b"libfaults"):
                continue
            if f.module != b"chaperone":
                found.append(f.module.decode())
                continue
            done = subprocess.run(["addr2line", "-f", "-s", "-e", str(self.build / "chaperone"), hex(f.offset - 1)],
                                  stdout=subprocess.PIPE, text=True)
            found.append(" ".join(done.stdout.split()))
        return " < ".join(found)

    def close(self):
        self.at = None
        self.memory.close()
