"""Migrations: where schema changes are refused, they say so and leave nothing behind."""
import cases
import patients
import psycopg
import pytest
import stack


@pytest.fixture(scope="module")
def site():
    with stack.temporary_folder() as folder:
        pg = stack.Postgres(folder / "pg").start()
        pg.make_database(patients.sql(20))
        gate = stack.Gateway(folder / "gate", pg.port, when=", tables: [patient]").start()
        try:
            yield pg, gate, gate.add_people()[0]
        finally:
            gate.stop()
            pg.stop()


def alembic_upgrade(folder, url):
    from alembic import command
    from alembic.config import Config
    (folder / "versions").mkdir(parents=True)
    (folder / "env.py").write_text(
        "import sqlalchemy\nfrom alembic import context\n"
        "engine = sqlalchemy.create_engine(context.config.get_main_option('sqlalchemy.url'))\n"
        "with engine.connect() as conn:\n"
        "    context.configure(connection=conn)\n"
        "    with context.begin_transaction():\n"
        "        context.run_migrations()\n")
    (folder / "versions/one.py").write_text(
        "import sqlalchemy as sa\nfrom alembic import op\nrevision, down_revision = 'one', None\n"
        "def upgrade():\n"
        "    op.create_table('ward', sa.Column('id', sa.Integer, primary_key=True), sa.Column('name', sa.Text))\n"
        "    op.add_column('ward', sa.Column('beds', sa.Integer))\n")
    config = Config()
    config.set_main_option("script_location", str(folder))
    config.set_main_option("sqlalchemy.url", url.replace("postgresql:", "postgresql+psycopg2:"))
    command.upgrade(config, "head")


def test_alembic_is_refused_where_schema_changes_are(site, tmp_path):
    pg, gate, passwords = site
    with pytest.raises(Exception) as caught:
        alembic_upgrade(tmp_path / "refused", gate.url("dana", passwords["dana"]))
    assert "needs ddl, which role clinician-analyst does not allow" in str(caught.value), caught.value
    assert pg.value("SELECT count(*) FROM pg_class WHERE relname IN ('ward', 'alembic_version')") == "0"


def test_a_flyway_like_migration_is_refused_whole(site):
    """A history table, a lock on it, a script and a row about it, in one transaction."""
    pg, gate, passwords = site
    with psycopg.connect(gate.url("dana", passwords["dana"])) as conn:
        assert conn.execute("SELECT count(*) FROM pg_namespace WHERE nspname = %s", ("public",)).fetchone() == (1,)
        assert conn.execute("SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n "
                            "ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relname = 'flyway_schema_history' "
                            "AND c.relkind = 'r')").fetchone() == (False,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="needs ddl"):
            conn.execute("CREATE TABLE public.flyway_schema_history (installed_rank integer PRIMARY KEY, script text)")
        conn.rollback()
        assert conn.execute(cases.ALIVE[1]).fetchone() == (42,)
    assert pg.value("SELECT count(*) FROM pg_class WHERE relname = 'flyway_schema_history'") == "0"
