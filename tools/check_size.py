#!/usr/bin/python3
"""Files of at most 600 lines, functions of at most 60 lines and 5 parameters. Silence means so.

Tables (*_table.c) may be longer: they are read like a list. Usage: check_size.py [DIR ...]
"""
import pathlib
import re
import sys

FILE_MAX, FUNCTION_MAX, PARAMETERS_MAX = 600, 60, 5
# What a library calls back has the shape that the library gave it.
CALLED_BACK = re.compile(r"LLVMFuzzer|\b(SSL|EC_KEY|RSA) \*")
END_OF_OTHER = re.compile(r"^$|[;}]$|\*/$|^#|\\$")


def parameters(head):
    inner = head[head.index("(") + 1 : head.rindex(")")]
    depth, count = 0, 1
    for c in inner:
        depth += c in "(["
        depth -= c in ")]"
        count += c == "," and depth == 0
    return 0 if inner.strip() in ("", "void") else count


def check(path):
    lines = path.read_text().splitlines()
    if len(lines) > FILE_MAX and not path.name.endswith("_table.c"):
        yield f"{path}: {len(lines)} lines (at most {FILE_MAX})"
    for at, line in enumerate(lines):
        if line != "{":
            continue
        start = at
        while start > 0 and not END_OF_OTHER.search(lines[start - 1]):
            start -= 1
        head = " ".join(lines[start:at])
        if "(" not in head or ")" not in head:
            continue
        end = next((i for i in range(at, len(lines)) if lines[i].startswith("}")), len(lines))
        name = re.search(r"(\w+)\s*\(", head)
        name = name.group(1) if name else "?"
        if end - at - 1 > FUNCTION_MAX:
            yield f"{path}:{at}: {name} has {end - at - 1} lines (at most {FUNCTION_MAX})"
        if parameters(head) > PARAMETERS_MAX and not CALLED_BACK.search(head):
            yield f"{path}:{at}: {name} has {parameters(head)} parameters (at most {PARAMETERS_MAX})"


def main():
    roots = [pathlib.Path(p) for p in (sys.argv[1:] or ["src", "tests"])]
    faults = [f for root in roots for p in sorted(root.rglob("*.[ch]")) for f in check(p)]
    print("\n".join(faults), end="\n" if faults else "")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
