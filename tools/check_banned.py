#!/usr/bin/python3
"""Calls and words that STYLE forbids in src/. Silence means there are none."""
import pathlib
import re
import sys

BANNED = re.compile(
    r"\b(strcpy|strcat|sprintf|vsprintf|strtok|atoi|atol|gets|alloca|strncpy|system|popen|rand|"
    r"srand|localtime|gmtime|setjmp|longjmp)\s*\(|\bgoto\s+\w+\s*;|\bmemcmp\s*\([^;]*(secret|proof|"
    r"password)|^\s*(static\s+)?(?!const)\w+\s+g_\w+")
# A value that cleans up after itself is initialised where it is declared: any return may come next.
CLEANUP = re.compile(r"CLEANUP\(\w+\)\s+\w+\s+[^=;]*;")
WORDS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
# "default:" on our own enums hides a new value from -Wswitch-enum.
NAMES = re.compile(r"(^|_)(util|utils|common|helper|helpers|manager|misc)(_|\.|$)")


def strip(text):
    text = re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m.group(0)), text, flags=re.S)
    return re.sub(r'"(\\.|[^"\\\n])*"', '""', text)


def main():
    src = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "src")
    faults = []
    for path in sorted(src.rglob("*.[ch]")):
        raw = path.read_text()
        if NAMES.search(path.name):
            faults.append(f"{path}: a name that needs an apology")
        for number, line in enumerate(strip(raw).splitlines(), 1):
            if CLEANUP.search(line):
                faults.append(f"{path}:{number}: not initialised: {line.strip()}")
            if BANNED.search(line):
                faults.append(f"{path}:{number}: banned: {line.strip()}")
        for number, line in enumerate(raw.splitlines(), 1):
            if WORDS.search(line):
                faults.append(f"{path}:{number}: unfinished: {line.strip()}")
    print("\n".join(faults), end="\n" if faults else "")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
