"""Databases: what a transaction promises, on whatever database the tests run."""

from __future__ import annotations

import threading

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, insert, select, text
from sqlalchemy.exc import OperationalError

from diascope.core.errors import BadUsage
from diascope.serve.database.identity_tables import apart
from diascope.serve.database.migrating import migrate
from diascope.serve.database.opening import Database
from diascope.serve.database.tables import index, projects
from diascope.testing.service import an_address


def opened(folder):
    return Database.open(an_address(folder, "index"), index)


def a_project(name):
    return insert(projects).values(id=name, name=name, created=0.0)


@pytest.mark.parametrize("tables", [index, apart], ids=["index", "identities"])
def test_migrations_make_the_tables_as_they_are_written(tables, tmp_path):
    address = an_address(tmp_path, "x").replace("postgresql://", "postgresql+psycopg://")
    engine = create_engine(address)
    migrate(engine, tables)
    migrate(engine, tables)  # the second time there is nothing to do
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, tables) == []
    engine.dispose()


def test_a_database_of_a_newer_version_is_refused(tmp_path):
    database, address = opened(tmp_path), an_address(tmp_path, "index")
    database.change(lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    database.close()
    with pytest.raises(BadUsage, match="newer version"):
        Database.open(address, index)


def test_a_change_that_fails_leaves_nothing(tmp_path):
    database = opened(tmp_path)

    def half(connection):
        connection.execute(a_project("a"))
        raise BadUsage("no")

    with pytest.raises(BadUsage):
        database.change(half)
    with database.reading() as connection:
        assert connection.execute(select(projects)).all() == []
    database.close()


def test_what_reads_can_not_change(tmp_path):
    database = opened(tmp_path)
    if not database.is_sqlite:
        database.close()
        pytest.skip("PostgreSQL leaves that to rights")
    with pytest.raises(OperationalError, match="readonly"), database.reading() as connection:
        connection.execute(a_project("a"))
    database.close()


def test_transactions_that_collide_are_replayed_until_each_was_done_once(tmp_path):
    database = opened(tmp_path)
    database.change(lambda connection: connection.execute(a_project("count").values(created=0.0)))

    def counted(connection):
        now = connection.execute(select(projects.c.created).with_for_update()).scalar_one()
        connection.execute(projects.update().values(created=now + 1))

    threads = [threading.Thread(target=lambda: [database.change(counted) for _ in range(10)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.reading() as connection:
        assert connection.execute(select(projects.c.created)).scalar_one() == 80
    database.close()


def test_sqlite_waits_for_the_disk(tmp_path):
    """A2: WAL with synchronous=FULL; NORMAL may roll back what was acknowledged, says SQLite."""
    database = opened(tmp_path)
    if not database.is_sqlite:
        database.close()
        pytest.skip("a setting of SQLite")
    with database.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    database.close()


@pytest.mark.parametrize("address", ["mysql://x/y", "nonsense", "oracle://x"])
def test_an_address_of_something_else_is_refused(address):
    with pytest.raises(BadUsage):
        Database.open(address, index)
