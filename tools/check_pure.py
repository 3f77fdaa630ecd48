#!/usr/bin/python3
"""What the objects of each pure room may ask of the world: `nm -u` against an allow-list.

Also: no mutable symbol (b B d D) in a pure room, so that no state hides in a global.
Usage: check_pure.py BUILD_DIR [SRC]. Silence means clean.
"""
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from check_layers import LAST_PURE_ROOM, read_rules  # noqa: E402

LIBC = re.compile(
    r"^(__)?(mem(cpy|move|cmp|chr|set)|explicit_bzero|malloc|calloc|free|str(n?len|cmp|chr|n?cmp)|"
    r"v?snprintf|assert_fail|stack_chk_fail)(_chk)?$|^_GLOBAL_OFFSET_TABLE_$|^bsearch$|^qsort$|"
    r"^__stack_chk_fail$|^__assert_fail$|^__(v?snprintf|mem\w+)_chk$")
ROOMS = {
    "base": re.compile(r"^__cpu_model$"),  # which instructions there are; constant, from the compiler's runtime
    "crypto": re.compile(r"^(EVP_|HMAC|MD5_|SHA256|OSSL_|CRYPTO_|OPENSSL_|ERR_clear|PKCS5_)"),
    "lang/sql": re.compile(r"^(pg_query_|protobuf_c_)"),
    "record": re.compile(r"^ZSTD_"),
    "journal": re.compile(r"^ZSTD_"),
}


def symbols(args, archive):
    out = subprocess.run(["nm", *args, archive], capture_output=True, text=True, check=True).stdout
    return [line.split() for line in out.splitlines() if line and not line.endswith(":")]


def mutable(archive):
    """Constant tables of pointers live in .data.rel.ro: read-only once loaded."""
    out = subprocess.run(["nm", "--defined-only", "-f", "sysv", archive], capture_output=True,
                         text=True, check=True).stdout
    for line in out.splitlines():
        parts = [p.strip() for p in line.split("|")]
        if len(parts) < 7 or parts[2] not in tuple("bBdD") or parts[0].startswith(("_", ".")):
            continue
        if not parts[6].startswith(".data.rel.ro"):
            yield parts[0]


def main():
    build = pathlib.Path(sys.argv[1])
    src = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else "src")
    rules = read_rules(src / "layers.txt")
    rooms = list(rules)
    pure = rooms[: rooms.index(LAST_PURE_ROOM) + 1]
    archives = {r: build / f"libroom_{re.sub('[^A-Za-z0-9]', '_', r)}.a" for r in pure}
    present = {r: a for r, a in archives.items() if a.exists()}
    defined = {r: {s[-1] for s in symbols(["--defined-only"], a)} for r, a in present.items()}
    faults = []
    for room, archive in present.items():
        known = set().union(*(defined[r] for r in rules[room] if r in defined))
        for symbol in {s[-1] for s in symbols(["-u"], archive)} - known:
            extra = ROOMS.get(room)
            if not LIBC.match(symbol) and not (extra and extra.match(symbol)):
                faults.append(f"{room}: asks the world for {symbol}")
        faults += [f"{room}: mutable symbol {name}" for name in mutable(archive)]
    if not present:
        faults.append(f"{build}: no room archives; build first")
    print("\n".join(sorted(faults)), end="\n" if faults else "")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
