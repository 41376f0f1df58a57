"""One state of a database, taken while others write, and put back: SQLite's online back-up, or `pg_dump`."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from sqlalchemy import create_engine, inspect, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from diascope.core.errors import BadUsage, DiascopeError, Unavailable
from diascope.serve.keeping.manifest import Kind

KEYS_OF_OBJECTS = {
    "instances": "SELECT key FROM instances",
    "drawings": "SELECT key FROM drawings",
    "documents": "SELECT key FROM documents",
}
"""Table to what names objects of the archive; a database of an older version has not all of them."""


def kind_of(url: str) -> Kind:
    """SQLite or PostgreSQL."""
    return "sqlite" if make_url(url).get_backend_name() == "sqlite" else "postgresql"


def take(url: str, target: Path, objects: bool) -> list[str]:
    """Copy one state of a database into a file; those who write do not wait.

    Args:
        url: Of the database.
        target: Of the copy; it does not exist.
        objects: Whether the names of the archive's objects in that very state are wanted.

    Returns:
        Those names, sorted.

    Raises:
        BadUsage: When there is no such database.
        DiascopeError: When `pg_dump` is not installed.
        Unavailable: When the database does not answer.
    """
    address = make_url(url)
    if kind_of(url) == "sqlite":
        return _sqlite(Path(str(address.database)), target, objects)
    program = _program("pg_dump", f"pg_dump --format=custom --file={target.name} {_shown(address)}")
    engine = create_engine(address.set(drivername="postgresql+psycopg"), isolation_level="REPEATABLE READ")
    try:
        with engine.connect() as connection:
            snapshot = connection.execute(text("SELECT pg_export_snapshot()")).scalar_one()
            command = [program, "--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}"]
            _run([*command, f"--file={target}", f"--dbname={_shown(address)}"], address)
            there = set(inspect(connection).get_table_names()) if objects else set()
            return sorted(key for one in _queries(there) for key in connection.execute(text(one)).scalars())
    except DBAPIError as error:
        raise Unavailable("the database does not answer", given=type(error.orig).__name__) from error
    finally:
        engine.dispose()


def put_back(source: Path, url: str) -> None:
    """Make a database from a copy.

    Args:
        source: What `take` made.
        url: Of the database: a SQLite file that does not exist, or an empty PostgreSQL database.

    Raises:
        BadUsage: When there is something already.
        DiascopeError: When `pg_restore` is not installed.
        Unavailable: When the database does not answer.
    """
    address = make_url(url)
    if kind_of(url) == "sqlite":
        target = Path(str(address.database))
        if target.exists():
            raise BadUsage("there is a database already", given=str(target), todo="Restore into an empty folder")
        shutil.copyfile(source, target)
        return
    program = _program("pg_restore", f"pg_restore --dbname={_shown(address)} {source}")
    engine = create_engine(address.set(drivername="postgresql+psycopg"))
    try:
        if inspect(engine).get_table_names():
            raise BadUsage("the database is not empty", given=_shown(address), todo="Name an empty one (createdb)")
    except DBAPIError as error:
        raise Unavailable("the database does not answer", given=type(error.orig).__name__) from error
    finally:
        engine.dispose()
    command = [program, "--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges"]
    _run([*command, f"--dbname={_shown(address)}", str(source)], address)


def _sqlite(source: Path, target: Path, objects: bool) -> list[str]:
    if not source.is_file():
        raise BadUsage("there is no database to back up", given=str(source), todo="Start the service once")
    with (
        closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True, timeout=10)) as live,
        closing(sqlite3.connect(target)) as copy,
    ):
        # All pages in one step: one read transaction, which no writer of a WAL database waits for.
        live.backup(copy, pages=-1)
        copy.execute("PRAGMA journal_mode=DELETE").close()
        if copy.execute("PRAGMA quick_check").fetchone()[0] != "ok":
            raise DiascopeError(
                "the database is damaged", given=source.name, todo="Keep it as it is, and restore the last back-up"
            )
        tables = copy.execute("SELECT name FROM sqlite_master WHERE type = 'table'") if objects else ()
        return sorted(row[0] for one in _queries({name for (name,) in tables}) for row in copy.execute(one))


def _queries(there: set[str]) -> list[str]:
    return [query for table, query in KEYS_OF_OBJECTS.items() if table in there]


def _program(name: str, by_hand: str) -> str:
    found = shutil.which(name)
    if found:
        return found
    versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: float(path.parts[-3]))
    if versions:
        return str(versions[-1])
    raise DiascopeError(
        f"{name} is not installed",
        todo=f"Install PostgreSQL's client programs (Debian: apt install postgresql-client); by hand: {by_hand}",
    )


def _shown(address: URL) -> str:
    """Without the password: other users of this machine see the command lines of all processes."""
    bare = address._replace(drivername="postgresql", password=None)  # `set` leaves what is None
    return bare.render_as_string(hide_password=False)


def _run(command: Sequence[str], address: URL) -> None:
    secret = {"PGPASSWORD": address.password} if address.password else {}
    done = subprocess.run(command, env={**os.environ, **secret}, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[0]
        raise DiascopeError(
            f"{Path(command[0]).name} failed: {said[:200]}", todo="See its version and the server's log"
        )
