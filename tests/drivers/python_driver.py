"""Runs the cases it is given through one Python driver; JSON in, JSON out. See cases.py for the steps.

Every class is a driver as its own users use it: its placeholders, its transactions, its cancel.
"""
import asyncio
import contextlib
import json
import re
import signal
import subprocess
import sys
import threading


def shown(value):
    if isinstance(value, (list, tuple)):
        return [shown(v) for v in value]
    if isinstance(value, (bytes, memoryview, bytearray)):
        return "bytes:" + bytes(value).hex()
    return value if value is None else f"{type(value).__name__}:{value}"


def answer(rows, count=None):
    return {"rows": [shown(tuple(row)) for row in rows]} if rows is not None else {"count": count}


class Psycopg3:
    mark, binary_too = "%s", True

    def __init__(self, at):
        import psycopg
        self.driver = psycopg
        self.conn = psycopg.connect(at["url"], autocommit=True)

    def text(self, sql):
        return re.sub(r"\$\d", self.mark, sql)

    def run(self, sql, values=(), binary=False):
        with self.conn.cursor(binary=binary) as cur:
            cur.execute(self.text(sql), values or None)
            return answer(cur.fetchall() if cur.description else None, cur.rowcount)

    def query(self, sql, values=(), form="text"):
        return self.run(sql, values, binary=form == "binary")

    def repeat(self, sql, sets):
        with self.conn.cursor() as cur:
            return [answer(cur.execute(self.text(sql), values, prepare=True).fetchall()) for values in sets]

    def begin(self):
        return self.run("BEGIN")

    def commit(self):
        self.conn.commit()

    def rollback(self):
        self.conn.rollback()

    def savepoint(self, name):
        return self.run(f"SAVEPOINT {name}")

    def rollback_to(self, name):
        return self.run(f"ROLLBACK TO SAVEPOINT {name}")

    def cursor(self):
        return self.conn.cursor(name="big")

    def fetch(self, sql, size):
        self.begin()
        with self.cursor() as cur:
            cur.itersize = size
            cur.execute(sql)
            total = [0, 0]
            for row in cur:
                total = [total[0] + 1, total[1] + int(row[0])]
        self.commit()
        return total

    def cancel(self, sql, after):
        timer = threading.Timer(after, self.conn.cancel)
        timer.start()
        try:
            return self.query(sql)
        finally:
            timer.join()

    def timeout(self, sql, seconds):
        """No deadline of its own: the server's, which does not run while the statement is held."""
        return None

    def reset(self):
        return self.run("DISCARD ALL")

    def metadata(self, table):
        return None

    def nest(self, bad, good):
        """The driver's own way to go on after an error inside a transaction."""
        with self.conn.transaction():
            try:
                with self.conn.transaction():
                    self.run(bad)
            except self.driver.Error as error:
                told = str(error)
            return {"inner": told, **self.run(good)}

    def close(self):
        self.conn.close()


class Psycopg2(Psycopg3):
    binary_too = False

    def __init__(self, at):
        import psycopg2
        self.driver = psycopg2
        self.conn = psycopg2.connect(at["url"])

    def run(self, sql, values=(), binary=False):
        with self.conn.cursor() as cur:
            cur.execute(self.text(sql), values or None)
            got = answer(cur.fetchall() if cur.description else None, cur.rowcount)
        if not self.block:
            self.conn.commit()
        return got

    block = False

    def begin(self):
        self.block = True

    def commit(self):
        self.block = False
        self.conn.commit()

    def rollback(self):
        self.block = False
        self.conn.rollback()

    def query(self, sql, values=(), form="text"):
        try:
            return self.run(sql, values)
        except self.driver.Error:
            if not self.block:
                self.conn.rollback()
            raise

    def repeat(self, sql, sets):
        self.query("PREPARE again(int) AS " + sql)
        return [self.query("EXECUTE again($1)", values) for values in sets]

    def reset(self):
        self.conn.reset()

    def nest(self, bad, good):
        return None


class Asyncpg:
    def __init__(self, at):
        import asyncpg
        self.driver = asyncpg
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)
        self.pool = self.wait(asyncpg.create_pool(at["url"], min_size=1, max_size=1))
        self.conn = self.wait(self.pool.acquire())
        self.transaction = None

    def wait(self, what):
        return self.loop.run_until_complete(what)

    def query(self, sql, values=(), form="text"):
        async def go():
            statement = await self.conn.prepare(sql)
            rows = await statement.fetch(*values)
            if statement.get_attributes():
                return answer(rows)
            return {"count": int(statement.get_statusmsg().split()[-1])}
        return self.wait(go())

    def repeat(self, sql, sets):
        statement = self.wait(self.conn.prepare(sql))
        return [answer(self.wait(statement.fetch(*values))) for values in sets]

    def begin(self):
        self.transaction = self.conn.transaction()
        self.wait(self.transaction.start())

    def commit(self):
        self.wait(self.transaction.commit())

    def rollback(self):
        self.wait(self.transaction.rollback())

    def savepoint(self, name):
        self.inner = self.conn.transaction()
        self.wait(self.inner.start())

    def rollback_to(self, name):
        self.wait(self.inner.rollback())

    def fetch(self, sql, size):
        async def go():
            total = [0, 0]
            async with self.conn.transaction():
                async for row in self.conn.cursor(sql, prefetch=size):
                    total = [total[0] + 1, total[1] + row[0]]
            return total
        return self.wait(go())

    def cancel(self, sql, after):
        async def go():
            task = self.loop.create_task(self.conn.execute(sql))
            await asyncio.sleep(after)
            task.cancel()  # asyncpg sends CancelRequest, and swallows the answer
            await task
        try:
            return self.wait(go())
        except asyncio.CancelledError:
            raise RuntimeError("CancelledError")

    def timeout(self, sql, seconds):
        try:
            self.wait(self.conn.execute(sql, timeout=seconds))
        except asyncio.TimeoutError:
            return {"error": "TimeoutError"}

    def reset(self):
        self.wait(self.pool.release(self.conn))
        self.conn = self.wait(self.pool.acquire())

    def metadata(self, table):
        """An enum and a codec make asyncpg read pg_type by a recursive query."""
        async def go():
            await self.conn.set_type_codec("json", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
            return answer(await self.conn.fetch("SELECT mood, j FROM kinds ORDER BY id"))
        return self.wait(go())

    def nest(self, bad, good):
        async def go():
            async with self.conn.transaction():
                try:
                    async with self.conn.transaction():
                        await self.conn.execute(bad)
                except self.driver.PostgresError as error:
                    told = str(error)
                return {"inner": told, **answer(await self.conn.fetch(good))}
        return self.wait(go())

    def close(self):
        self.wait(self.pool.release(self.conn))
        self.wait(self.pool.close())


class Alchemy(Psycopg2):
    def __init__(self, at):
        import sqlalchemy
        self.driver = sqlalchemy.exc
        self.sa = sqlalchemy
        self.engine = sqlalchemy.create_engine(at["url"].replace("postgresql:", "postgresql+psycopg2:"), pool_size=1,
                                               pool_pre_ping=True, future=True)
        self.conn = self.engine.connect()
        self.driver.Error = sqlalchemy.exc.SQLAlchemyError

    def run(self, sql, values=(), binary=False):
        named = self.sa.text(re.sub(r"\$(\d)", r":v\1", sql.replace(":", r"\:")))
        result = self.conn.execute(named, {f"v{n}": v for n, v in enumerate(values, 1)})
        got = answer(result.all() if result.returns_rows else None, result.rowcount)
        if not self.block:
            self.conn.commit()
        return got

    def repeat(self, sql, sets):
        return [self.query(sql, values) for values in sets]

    def savepoint(self, name):
        self.inner = self.conn.begin_nested()

    def rollback_to(self, name):
        self.inner.rollback()

    def fetch(self, sql, size):
        total = [0, 0]
        for row in self.conn.execution_options(stream_results=True, max_row_buffer=size).execute(self.sa.text(sql)):
            total = [total[0] + 1, total[1] + row[0]]
        self.conn.commit()
        return total

    def cancel(self, sql, after):
        timer = threading.Timer(after, self.conn.connection.dbapi_connection.cancel)
        timer.start()
        try:
            return self.query(sql)
        finally:
            timer.join()

    def reset(self):
        self.conn.close()
        self.conn = self.engine.connect()

    def metadata(self, table):
        at = self.sa.inspect(self.engine)
        return shown([[c["name"] + " " + str(c["type"]) for c in at.get_columns(table)], sorted(at.get_table_names()),
                      at.get_view_names(), at.get_pk_constraint(table)["constrained_columns"],
                      str(at.get_foreign_keys("encounter")), str(at.get_indexes(table)),
                      at.get_view_definition("patient_directory")])

    def nest(self, bad, good):
        with self.conn.begin():
            try:
                with self.conn.begin_nested():
                    self.conn.execute(self.sa.text(bad))
            except self.sa.exc.SQLAlchemyError as error:
                told = str(error)
            return {"inner": told, **answer(self.conn.execute(self.sa.text(good)).all())}


class AlchemyAsync:
    """The same through asyncpg; only what differs from the two by themselves."""

    def __init__(self, at):
        import sqlalchemy
        from sqlalchemy.ext.asyncio import create_async_engine
        self.sa = sqlalchemy
        self.loop = asyncio.new_event_loop()
        self.engine = create_async_engine(at["url"].replace("postgresql:", "postgresql+asyncpg:"), pool_size=1)
        self.conn = self.wait(self.engine.connect())
        self.block = False

    def wait(self, what):
        return self.loop.run_until_complete(what)

    def query(self, sql, values=(), form="text"):
        async def go():
            named = self.sa.text(re.sub(r"\$(\d)", r":v\1", sql.replace(":", r"\:")))
            try:
                result = await self.conn.execute(named, {f"v{n}": v for n, v in enumerate(values, 1)})
                got = answer(result.all() if result.returns_rows else None, result.rowcount)
                if not self.block:
                    await self.conn.commit()
                return got
            except self.sa.exc.SQLAlchemyError:
                if not self.block:
                    await self.conn.rollback()
                raise
        return self.wait(go())

    def repeat(self, sql, sets):
        return [self.query(sql, values) for values in sets]

    def begin(self):
        self.block = True

    def commit(self):
        self.block = False
        self.wait(self.conn.commit())

    def rollback(self):
        self.block = False
        self.wait(self.conn.rollback())

    def savepoint(self, name):
        self.inner = self.wait(self.conn.begin_nested())

    def rollback_to(self, name):
        self.wait(self.inner.rollback())

    def fetch(self, sql, size):
        async def go():
            total = [0, 0]
            async for row in await self.conn.stream(self.sa.text(sql)):
                total = [total[0] + 1, total[1] + row[0]]
            await self.conn.commit()
            return total
        return self.wait(go())

    def cancel(self, sql, after):
        return None

    timeout = nest = cancel

    def reset(self):
        self.wait(self.conn.close())
        self.conn = self.wait(self.engine.connect())

    def metadata(self, table):
        def look(conn):
            return sorted(self.sa.inspect(conn).get_table_names())
        return shown(self.wait(self.conn.run_sync(look)))

    def close(self):
        self.wait(self.conn.close())
        self.wait(self.engine.dispose())


class Django(Psycopg2):
    def __init__(self, at):
        import django
        from django.conf import settings
        from django.db import connections
        words = {"ENGINE": "django.db.backends.postgresql", "NAME": at["database"], "USER": at["user"],
                 "PASSWORD": at["password"], "HOST": at["host"], "PORT": at["port"]}
        if not settings.configured:
            settings.configure(DATABASES={"default": words}, INSTALLED_APPS=[], USE_TZ=True)
            django.setup()
        import django.db
        self.driver = django.db.utils
        self.conn = connections["default"]

    def run(self, sql, values=(), binary=False):
        with self.conn.cursor() as cur:
            cur.execute(self.text(sql), values or None)
            return answer(cur.fetchall() if cur.description else None, cur.rowcount)

    query = Psycopg3.query

    def repeat(self, sql, sets):
        return [self.run(sql, values) for values in sets]

    def begin(self):
        self.conn.set_autocommit(False)

    def commit(self):
        self.conn.commit()
        self.conn.set_autocommit(True)

    def rollback(self):
        self.conn.rollback()
        self.conn.set_autocommit(True)

    def savepoint(self, name):
        self.point = self.conn.savepoint()

    def rollback_to(self, name):
        self.conn.savepoint_rollback(self.point)

    def fetch(self, sql, size):
        total = [0, 0]
        with self.conn.chunked_cursor() as cur:
            cur.itersize = size
            cur.execute(sql)
            for row in cur:
                total = [total[0] + 1, total[1] + row[0]]
        return total

    def cancel(self, sql, after):
        timer = threading.Timer(after, self.conn.connection.cancel)
        timer.start()
        try:
            return self.run(sql)
        finally:
            timer.join()

    def reset(self):
        self.conn.close_if_unusable_or_obsolete()
        self.run("DISCARD ALL")

    def metadata(self, table):
        """What inspectdb asks."""
        with self.conn.cursor() as cur:
            at = self.conn.introspection
            # internal_size of a masked column is -1: a mask keeps no length.
            columns = [c._replace(internal_size=None) for c in at.get_table_description(cur, table)]
            return shown([sorted(map(str, at.get_table_list(cur))), list(map(str, columns)),
                          str(at.get_constraints(cur, "encounter")), str(at.get_relations(cur, "encounter"))])

    def nest(self, bad, good):
        """atomic() in atomic(), and a model's save() between."""
        from django.db import models, transaction
        class Mood(models.Model):
            id = models.IntegerField(primary_key=True)
            word = models.TextField()

            class Meta:
                app_label, managed, db_table = "drivers", False, "mood"
        with transaction.atomic():
            Mood(id=1, word="calm").save()
            try:
                with transaction.atomic():
                    self.run(bad)
            except self.driver.DatabaseError as error:
                told = str(error)
            Mood(id=1, word="calm again").save()
            return {"inner": told, "word": Mood.objects.get(id=1).word, **self.run(good)}


class Odbc(Psycopg2):
    mark, more = "?", ""

    def __init__(self, at):
        import pyodbc
        self.driver = pyodbc
        self.conn = pyodbc.connect("DRIVER={PostgreSQL Unicode};SERVER=%(host)s;PORT=%(port)s;DATABASE=%(database)s;"
                                   "UID=%(user)s;PWD=%(password)s;SSLmode=disable;UseServerSidePrepare=1;" % at + self.more)
        self.conn.autocommit = True

    def run(self, sql, values=(), binary=False):
        cur = self.conn.cursor()
        cur.execute(self.text(sql), *values)
        return answer(cur.fetchall() if cur.description else None, cur.rowcount)

    def query(self, sql, values=(), form="text"):
        return self.run(sql, values)

    def repeat(self, sql, sets):
        cur = self.conn.cursor()
        return [answer(cur.execute(self.text(sql), *values).fetchall()) for values in sets]

    def begin(self):
        self.conn.autocommit = False

    def commit(self):
        self.conn.commit()
        self.conn.autocommit = True

    def rollback(self):
        self.conn.rollback()
        self.conn.autocommit = True

    def savepoint(self, name):
        return self.run(f"SAVEPOINT {name}")

    def rollback_to(self, name):
        return self.run(f"ROLLBACK TO SAVEPOINT {name}")

    def fetch(self, sql, size):
        cur, total = self.conn.cursor().execute(sql), [0, 0]
        while True:
            rows = cur.fetchmany(size)
            if not rows:
                return total
            total = [total[0] + len(rows), total[1] + sum(row[0] for row in rows)]

    def cancel(self, sql, after):
        cur = self.conn.cursor()
        timer = threading.Timer(after, cur.cancel)
        timer.start()
        try:
            cur.execute(sql)
            return answer(cur.fetchall() if cur.description else None, cur.rowcount)
        finally:
            timer.join()

    def reset(self):
        self.run("DISCARD ALL")

    def metadata(self, table):
        cur = self.conn.cursor()
        return shown([sorted(row.table_name for row in cur.tables(schema="public")),
                      [f"{row.column_name} {row.type_name}" for row in cur.columns(table=table)],
                      [row.column_name for row in cur.primaryKeys(table=table)]])


class Psql:
    """The program, its standard input a terminal's lines and Ctrl-C its cancel."""

    def __init__(self, at):
        self.at = at
        self.shell = subprocess.Popen(["psql", "-X", "-At", "-F", "\x1f", at["url"]], stdin=subprocess.PIPE, text=True,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=1)
        self.lines(r"\pset null ∅")

    def lines(self, text):
        self.shell.stdin.write(text + "\n\\echo == done ==\n")
        self.shell.stdin.flush()
        found = []
        for line in self.shell.stdout:
            if line == "== done ==\n":
                return found
            found.append(line.rstrip("\n"))
        raise RuntimeError("\n".join(found) or "psql ended")

    def query(self, sql, values=(), form="text"):
        for n, value in enumerate(values, 1):
            sql = sql.replace(f"${n}", "'" + str(value).replace("'", "''") + "'")
        return self.read(self.lines(sql + ";"))

    def read(self, lines):
        wrong = [n for n, line in enumerate(lines) if line.startswith(("ERROR:", "FATAL:"))]
        if wrong:
            raise RuntimeError(lines[wrong[0]])
        told = ("NOTICE:", "DETAIL:", "HINT:", "LINE ", "Null display")
        lines = [line for line in lines if not line.startswith(told)]
        if len(lines) == 1 and re.match(r"(UPDATE|INSERT 0|DELETE) \d+$", lines[0]):
            return {"count": int(lines[0].split()[-1])}
        return {"rows": [line.split("\x1f") for line in lines]}

    def repeat(self, sql, sets):
        self.query("PREPARE again(int) AS " + sql)
        return [self.query(f"EXECUTE again({values[0]})") for values in sets]

    def begin(self):
        self.query("BEGIN")

    def commit(self):
        self.query("COMMIT")

    def savepoint(self, name):
        self.query(f"SAVEPOINT {name}")

    def rollback_to(self, name):
        self.query(f"ROLLBACK TO SAVEPOINT {name}")

    def fetch(self, sql, size):
        rows = self.query(f"\\set FETCH_COUNT {size}\n" + sql)["rows"]
        return [len(rows), sum(int(row[0]) for row in rows)]

    def cancel(self, sql, after):
        timer = threading.Timer(after, self.shell.send_signal, [signal.SIGINT])
        timer.start()
        try:
            return self.query(sql)
        finally:
            timer.join()
            self.close()  # without a terminal, psql ends after Ctrl-C
            self.__init__(self.at)

    def timeout(self, sql, seconds):
        return None

    def reset(self):
        self.query("DISCARD ALL")

    def metadata(self, table):
        return [self.lines(f"\\{word}") for word in (f"d {table}", "d+ encounter", "dt+", "dv", "di", "dn", "dT", "df")]

    def nest(self, bad, good):
        self.query("\\set ON_ERROR_ROLLBACK on\nBEGIN")
        try:
            self.query(bad)
        except RuntimeError as error:
            told = str(error)
        got = {"inner": told, **self.query(good)}
        self.query("COMMIT")
        return got

    def close(self):
        with contextlib.suppress(BrokenPipeError):
            self.shell.communicate("\\q\n", timeout=10)


class OdbcPlain(Odbc):
    """Without a savepoint of the driver's own before every statement."""
    more = "Protocol=7.4-0"


DRIVERS = {"psql": Psql, "psycopg": Psycopg3, "psycopg2": Psycopg2, "asyncpg": Asyncpg, "sqlalchemy-psycopg2": Alchemy,
           "sqlalchemy-asyncpg": AlchemyAsync, "django": Django, "odbc": Odbc,
           "odbc 7.4-0": OdbcPlain}


def step(driver, name, *args):
    try:
        return getattr(driver, name)(*args) or {}
    except Exception as error:
        return {"error": f"{error}", "type": type(error).__name__}


def main():
    asked = json.load(sys.stdin)
    told = {}
    for case in asked["cases"]:
        driver = None
        try:
            driver = DRIVERS[asked["driver"]](asked["at"])
            told[case["name"]] = [step(driver, *words) for words in case["steps"]]
        except Exception as error:
            told[case["name"]] = {"failed": f"{type(error).__name__}: {error}"}
        finally:
            if driver is not None:
                driver_closed = step(driver, "close")
                if "error" in driver_closed and isinstance(told[case["name"]], list):
                    told[case["name"]].append(driver_closed)
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
