"""Cursors and portals of every kind, the gateway's answers beside a direct connection's: the same messages in the same
order with the same bodies, cells that are masked apart. None of these columns is masked for dana."""
import pytest

import stack
import wire

COLUMNS = "id, sex, city"
ROWS = f"SELECT {COLUMNS} FROM patient WHERE id <= 10 ORDER BY id"


@pytest.fixture
def both(site):
    clients = [wire.Client(site.pg.port, "owner", stack.OWNER_PASSWORD), site.wire()]
    yield clients
    for client in clients:
        client.close()


def essence(messages):
    """What must be equal. Texts of errors are the gateway's to change, states are not."""
    out = []
    for tag, body in messages:
        if tag in "EN":
            found = wire.fields(body)
            if tag == "E" or found["C"] != "01000":    # which columns are masked is told in a notice
                out.append((tag, found["C"], found["S"]))
        elif tag != "S":
            out.append((tag, body))
    return out


def same(both, *data):
    direct, gate = (essence(client.ask(*data)) for client in both)
    assert gate == direct
    return direct


def same_queries(both, *texts):
    return [same(both, wire.query(text)) for text in texts]


def same_in_turn(both, *steps):
    """One connection after the other: these lock rows."""
    direct, gate = ([essence(client.ask(wire.query(s) if isinstance(s, str) else s)) for s in steps] for client in both)
    assert gate == direct


FORMS = ["NEXT", "PRIOR", "FIRST", "LAST", "ABSOLUTE 3", "ABSOLUTE -2", "ABSOLUTE 0", "ABSOLUTE 99", "RELATIVE 2",
         "RELATIVE -1", "RELATIVE 0", "4", "-2", "0", "ALL", "FORWARD", "FORWARD 3", "FORWARD ALL", "BACKWARD",
         "BACKWARD 2", "BACKWARD ALL", "FORWARD 0", "BACKWARD 0"]


@pytest.mark.core
@pytest.mark.parametrize("verb", ["FETCH", "MOVE"])
def test_every_form_of_fetch_and_move(both, verb):
    same_queries(both, "BEGIN", f"DECLARE c SCROLL CURSOR FOR {ROWS}")
    for form in FORMS:
        same_queries(both, f"{verb} {form} FROM c", "FETCH RELATIVE 0 FROM c")
    same_queries(both, f"{verb} c", f"{verb} IN c", f"{verb} 2 IN c", "CLOSE c", "COMMIT")


@pytest.mark.core
@pytest.mark.parametrize("kind", ["", "NO SCROLL", "SCROLL", "INSENSITIVE", "ASENSITIVE", "BINARY", "BINARY NO SCROLL"])
def test_every_kind_of_cursor(both, kind):
    same_queries(both, "BEGIN", f"DECLARE c {kind} CURSOR FOR {ROWS}", "FETCH 3 FROM c", "FETCH BACKWARD 1 FROM c", "ROLLBACK")


@pytest.mark.core
def test_with_hold_outlives_its_transaction(both):
    same_queries(both, "BEGIN", f"DECLARE c SCROLL CURSOR WITH HOLD FOR {ROWS}", "FETCH 2 FROM c", "COMMIT",
                 "FETCH 2 FROM c", "FETCH PRIOR FROM c", "BEGIN", "FETCH 1 FROM c", "COMMIT", "MOVE LAST FROM c",
                 "FETCH 1 FROM c", "CLOSE c", "FETCH 1 FROM c")
    same_queries(both, f"DECLARE d CURSOR WITH HOLD FOR {ROWS}", "FETCH 1 FROM d", "BEGIN",
                 f"DECLARE e CURSOR WITH HOLD FOR {ROWS}", "ROLLBACK", "FETCH 1 FROM e", "FETCH 1 FROM d", "CLOSE ALL",
                 "FETCH 1 FROM d")


@pytest.mark.core
def test_what_goes_wrong_goes_wrong_alike(both):
    same_queries(both, f"DECLARE c CURSOR FOR {ROWS}", "FETCH 1 FROM c", "CLOSE c", "BEGIN", "FETCH 1 FROM nobody",
                 "ROLLBACK", "BEGIN", f"DECLARE c CURSOR FOR {ROWS}", f"DECLARE c CURSOR FOR {ROWS}", "ROLLBACK",
                 "BEGIN", f"DECLARE c CURSOR FOR {ROWS}", "SAVEPOINT s", "FETCH 2 FROM c", f"DECLARE d CURSOR FOR {ROWS}",
                 "ROLLBACK TO s", "FETCH 1 FROM c", "FETCH 1 FROM d", "ROLLBACK")


@pytest.mark.core
def test_update_where_current_of(both):
    same_in_turn(both, "BEGIN", "DECLARE c CURSOR FOR SELECT id, charge FROM encounter WHERE id <= 3 ORDER BY id FOR UPDATE",
                 "FETCH 1 FROM c", "UPDATE encounter SET charge = 7 WHERE CURRENT OF c", "FETCH 1 FROM c",
                 "DELETE FROM encounter WHERE CURRENT OF c", "FETCH 1 FROM c", "ROLLBACK")


@pytest.mark.core
@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("limit", [1, 3, 9, 10, 11])
def test_portals_with_a_row_limit(both, limit, binary):
    start = [wire.parse(ROWS), wire.bind(binary=binary), wire.describe()]
    same(both, *start, wire.execute(limit=limit), wire.execute(limit=limit), wire.execute(), wire.execute(), wire.SYNC)
    same_queries(both, "BEGIN")
    same(both, wire.parse(ROWS, "s"), wire.bind(statement="s", portal="p", binary=binary), wire.execute("p", limit),
         wire.SYNC)
    same(both, wire.describe("p"), wire.execute("p", limit), wire.SYNC)
    same(both, wire.execute("p", 2), wire.bind(statement="s", portal="q"), wire.execute("q", 1), wire.execute("p", 1),
         wire.execute("q", 0), wire.SYNC)
    same(both, wire.close("p", "P"), wire.execute("p"), wire.SYNC)
    same_queries(both, "ROLLBACK")
    same(both, wire.execute("q"), wire.SYNC)
    same(both, wire.close("s"), wire.SYNC)


@pytest.mark.core
def test_a_portal_of_a_write_runs_once(both):
    text = "UPDATE encounter SET charge = charge WHERE id <= 4 RETURNING id"
    same_in_turn(both, "BEGIN",
                 wire.parse(text) + wire.bind(portal="w") + wire.describe("w") + wire.execute("w", 2) + wire.SYNC,
                 wire.execute("w", 1) + wire.execute("w") + wire.execute("w") + wire.SYNC, "ROLLBACK")


@pytest.mark.core
def test_cursors_of_sql_are_portals_of_the_wire(both):
    same_queries(both, "BEGIN", f"DECLARE c SCROLL CURSOR FOR {ROWS}")
    same(both, wire.describe("c"), wire.execute("c", 2), wire.SYNC)
    same_queries(both, "FETCH 1 FROM c")
    same(both, wire.execute("c", 1), wire.SYNC)
    same(both, wire.parse("FETCH 2 FROM c"), wire.bind(), wire.describe(), wire.execute(), wire.SYNC)
    same(both, wire.parse("MOVE BACKWARD ALL FROM c"), wire.bind(), wire.describe(), wire.execute(), wire.SYNC)
    same(both, wire.execute("c"), wire.SYNC)
    same(both, wire.close("c", "P"), wire.SYNC)
    same_queries(both, "FETCH 1 FROM c", "ROLLBACK", "BEGIN")
    same(both, wire.parse(ROWS), wire.bind(portal="named"), wire.SYNC)
    same_queries(both, "FETCH 2 FROM named", "MOVE 1 FROM named", "FETCH 1 FROM named", "CLOSE named", "COMMIT")
    same(both, wire.parse(f"DECLARE c CURSOR WITH HOLD FOR SELECT {COLUMNS} FROM patient WHERE id < $1 ORDER BY id", types=[23]),
         wire.bind(), wire.SYNC)


@pytest.mark.core
def test_masked_cells_are_the_only_difference(site, both):
    """As above, over a masked column: cells of it are masked each time, in the same messages."""
    text = "SELECT id, last_name, city FROM patient WHERE id <= 6 ORDER BY id"
    steps = [wire.query("BEGIN"), wire.query(f"DECLARE c SCROLL CURSOR FOR {text}"), wire.query("FETCH 2 FROM c"),
             wire.query("FETCH PRIOR FROM c"), wire.execute("c", 1) + wire.SYNC, wire.query("FETCH LAST FROM c"),
             wire.parse(text) + wire.bind(portal="p") + wire.execute("p", 2) + wire.SYNC, wire.query("FETCH 1 FROM p"),
             wire.execute("p", 2) + wire.SYNC, wire.query("COMMIT")]
    for step in steps:
        direct, gate = (client.ask(step) for client in both)
        assert [e[0] for e in essence(gate)] == [e[0] for e in essence(direct)]
        for seen, true in zip(wire.rows(gate), wire.rows(direct)):
            assert (seen[0], seen[2]) == (true[0], true[2]) and seen[1] == "▒▒▒▒▒".encode() != true[1]
