#!/usr/bin/python3
"""Arrows in src/ point down. Rules: src/layers.txt. Silence means they do.

1. Every #include "room/..." is allowed by layers.txt.
2. layers.txt mentions only rooms listed above it, so no cycle can be written down.
3. Rooms up to and including `gate` include no header that can do I/O or tell time.
"""
import pathlib
import re
import sys

IMPURE = {"unistd.h", "fcntl.h", "time.h", "poll.h", "pthread.h", "errno.h", "signal.h", "uv.h"}
# vsnprintf formats into memory; check_pure.py sees that nothing else of stdio is linked.
EXCEPTIONS = {("base/text.c", "stdio.h"), ("policy/words.c", "stdio.h")}
LAST_PURE_ROOM = "gate"
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]', re.M)


def read_rules(path):
    rules = {}
    for line in path.read_text().splitlines():
        room, colon, allowed = line.split("#")[0].partition(":")
        if not colon:
            continue
        room, allowed = room.strip(), set(allowed.split())
        for unknown in allowed - rules.keys():
            sys.exit(f"{path}: {room} looks up to {unknown}")
        rules[room] = allowed | {room}
    return rules


def room_of(name, rules):
    """The longest listed prefix: proto/pg/frame.h is in proto/pg, else in proto."""
    parts = name.split("/")[:-1]
    prefixes = ("/".join(parts[:n]) for n in range(len(parts), 0, -1))
    return next((p for p in prefixes if p in rules), None)


def check_file(path, src, rules, pure):
    name = path.relative_to(src).as_posix()
    room = room_of(name, rules)
    if room is None:
        yield f"{path}: in no room of layers.txt"
        return
    for quote, target in INCLUDE.findall(path.read_text()):
        if quote == '"' and room_of(target, rules) not in rules[room]:
            yield f"{path}: {room} may not include {target}"
        banned = target in IMPURE or target == "stdio.h" or target.startswith(("sys/", "linux/"))
        if quote == "<" and room in pure and banned and (name, target) not in EXCEPTIONS:
            yield f"{path}: {room} is pure and may not include <{target}>"


def main():
    src = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "src")
    rules = read_rules(src / "layers.txt")
    rooms = list(rules)
    pure = set(rooms[: rooms.index(LAST_PURE_ROOM) + 1])
    faults = [f for p in sorted(src.rglob("*.[ch]")) for f in check_file(p, src, rules, pure)]
    print("\n".join(faults), end="\n" if faults else "")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
