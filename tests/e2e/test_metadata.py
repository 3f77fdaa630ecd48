"""What tools ask about a database when it is opened (fixtures/) gets the same answers as a direct connection's."""
import pathlib

import psycopg
import pytest
import stack

FIXTURES = sorted(pathlib.Path(__file__).with_name("fixtures").glob("*.sql"))


def questions(path):
    text = "\n".join(line for line in path.read_text().splitlines() if not line.startswith("--"))
    return [part.strip() for part in text.split("\n\n") if part.strip()]


@pytest.mark.parametrize("path", FIXTURES, ids=lambda p: p.stem)
@pytest.mark.parametrize("extended", [False, True])
def test_questions_of_tools(site, path, extended):
    direct = f"postgresql://gate_ehr:{stack.GATE_PASSWORD}@127.0.0.1:{site.pg.port}/ehr"
    with psycopg.connect(site.url(), autocommit=True) as through, psycopg.connect(direct, autocommit=True) as plain:
        for question in questions(path):
            for one in question.split("; ") if extended else [question]:
                asked = (one.replace("%", "%%"), ()) if extended else (one,)
                got, wanted = (conn.execute(*asked) for conn in (through, plain))
                assert (got.description is None) == (wanted.description is None), one
                if got.description is not None:
                    assert [c.name for c in got.description] == [c.name for c in wanted.description]
                    assert got.fetchall() == wanted.fetchall(), one
