"""What every driver is asked, and what the answers must be.

A case is a list of steps, each an operation of the driver's program and its arguments, on a connection of its own:

    query SQL [VALUES] [text|binary]     $1 stands for a value, whatever the driver writes
    repeat SQL [VALUES...]               one prepared statement, run with each
    begin, commit, rollback, savepoint NAME, rollback_to NAME
    fetch SQL ROWS                       through a cursor, ROWS at a time: [count, sum of the first column]
    cancel SQL SECONDS                   the driver's own cancel, after that long
    timeout SQL SECONDS                  the driver's own deadline
    reset                                what the driver's pool does between two borrowers
    metadata TABLE                       the driver's own questions about tables
    nest BAD GOOD                        the driver's own way to go on after BAD inside a transaction

A step that a driver does not have answers {}. An error is {"error": what its users would see}.
"""
import re

SCHEMA = """
CREATE TYPE feeling AS ENUM ('low', 'high');
CREATE TABLE kinds (id integer PRIMARY KEY, big bigint, amount numeric(14,4), ratio float8, word text, at timestamptz,
    day date, key uuid, doc json, docb jsonb, numbers integer[], words text[], raw bytea, yes boolean, mood feeling);
INSERT INTO kinds VALUES
    (1, 9007199254740993, 1234567890.1250, 0.1, 'plain', '2025-03-04 05:06:07.123456+00', '2025-03-04',
     '6ecd8c99-4036-403d-bf84-cf8400f67836', '{"a": [1, 2]}', '{"b": null}', '{1,NULL,3}', '{a,"b c",NULL}', '\\x00ff10',
     true, 'low'),
    (2, -1, -0.0001, -1e300, 'é ''quoted'' \\ and ▒', '1999-12-31 23:59:59+00', '1900-01-01',
     '00000000-0000-0000-0000-000000000000', '"x"', '[]', '{}', '{}', '', false, 'high'),
    (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE mood (id integer PRIMARY KEY, word text);
GRANT ALL ON kinds, mood TO gate_ehr;
"""
KINDS = ("SELECT id, big, amount, ratio, word, at, day, key, doc, docb, numbers, words, raw, yes FROM kinds "
         "ORDER BY id")
MASKED = "SELECT id, mrn, last_name, birth_date, zip, city FROM patient WHERE id IN (1, 2, 3) ORDER BY id"
INSERT = "INSERT INTO encounter VALUES ({}, 1, 'MRN00000001', 'radiology', now(), 1)"
SLOW = "SELECT count(*) FROM generate_series(1, 3000) a, generate_series(1, 3000) b, generate_series(1, 300) c"
UPDATE = "UPDATE patient SET phone = '{word}-{n:04d}' WHERE id = {n}"
ALIVE = ["query", "SELECT 41 + 1"]
# Refused by the gateway; directly, where it would delete, something that the server refuses.
BAD = {"gateway": "DELETE FROM encounter", "direct": "SELECT no_such_column FROM encounter"}


def shared(leg, n):
    """Cases for both legs. `n` is the driver's number, `first` an id that nobody else has."""
    first, bad = 700000 + 100 * n + (50 if leg == "direct" else 0), BAD[leg]
    return {
        "values": [["query", KINDS, [], "text"], ["query", "SELECT $1::integer + 1, $2::text", [41, "é"]]],
        "binary": [["query", KINDS, [], "binary"]] * 2,  # JDBC asks for it the second time
        "prepared": [["repeat", "SELECT id, city, state FROM patient WHERE id = $1", [[k] for k in range(1, 9)]]],
        "masked": [["query", MASKED, [], "text"], ["query", MASKED, [], "binary"]],
        "refused": [["begin"], ["query", INSERT.format(first)], ["query", bad], ["query", "SELECT 1"], ["commit"], ALIVE],
        "savepoint": [["begin"], ["query", INSERT.format(first + 1)], ["savepoint", "s"], ["query", bad],
                      ["rollback_to", "s"], ["query", INSERT.format(first + 2)], ["commit"], ALIVE],
        "nested": [["nest", bad, "SELECT 41 + 1"]],
        "cursor": [["fetch", "SELECT g, 'row ' || g FROM generate_series(1, 100000) g", 1000], ALIVE],
        "cancel": [["cancel", SLOW, 0.7], ALIVE],
        "pool": [["reset"], ALIVE],
        "metadata": [["metadata", "patient"]],
    }


def held(n):
    """Only through the gateway: somebody answers by the word in the text (test_drivers.py)."""
    return {
        "approved": [["query", UPDATE.format(word="approve", n=n)], ALIVE],
        "denied": [["query", UPDATE.format(word="deny", n=n)], ALIVE],
        "withdrawn": [["cancel", UPDATE.format(word="leave", n=n), 1.5], ALIVE],
        "timeout": [["timeout", UPDATE.format(word="late", n=n), 1.5]],
    }


TICKET = "UPDATE patient SET phone = 'ticket-{n:04d}' WHERE id = {n}"
COLUMNS = {
    "values": "values", "binary": "binary", "prepared": "prepared, reused", "masked": "masks",
    "refused": "refused, COMMIT", "savepoint": "savepoint", "nested": "own nesting", "one line": "one line",
    "cursor": "100k by cursor", "cancel": "cancel", "pool": "pool reset", "metadata": "metadata", "approved": "held, approved",
    "denied": "held, denied", "withdrawn": "held, cancelled", "timeout": "held, timeout", "ticket": "agent's ticket",
}


def without_errors(steps):
    """What both legs must agree on: where it failed, not the words."""
    if not isinstance(steps, list):
        return steps
    return ["error" if isinstance(s, dict) and "error" in s else {k: v for k, v in s.items() if k != "inner"}
            if isinstance(s, dict) else s for s in steps]


def error(steps, at):
    return steps[at].get("error", "") if isinstance(steps, list) and isinstance(steps[at], dict) else str(steps)


def plain(cell):
    """Without the name of the type in the driver's language."""
    return re.sub(r"^[\w.]+:", "", str(cell))


def masks_hold(through, direct, people):
    """Empty, or what is wrong."""
    for shown, real in zip(through, direct):
        for row, clear, person in zip(shown["rows"], real["rows"], people):
            id_, mrn, last, birth, zip_, city = map(plain, row)
            year = birth[:4]
            if (id_, city) != (plain(clear[0]), plain(clear[5])):
                return f"not masked, yet different: {row}"
            if not re.fullmatch(r"MRN-[0-9A-Z]{20,}", mrn) or last != "▒▒▒▒▒" or not birth.startswith(f"{year}-01-01"):
                return f"not masked as said: {row}"
            if zip_.strip() not in (person["zip"][:3], "000"):
                return f"zip: {row}"
        if len(shown["rows"]) != 3:
            return f"{shown}"
    return ""


def one_line(text):
    """Who refused, rule, fact, what next and the decision's id, in what the driver's users see."""
    return all(part in text for part in ("chaperone refused (rule no-unbounded-delete, d-", "DELETE without WHERE on encounter",
                                         "add a WHERE clause"))
