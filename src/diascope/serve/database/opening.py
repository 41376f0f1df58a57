"""Opening a database, and the two ways to use it: `reading`, and `change`, which is one transaction."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, MetaData, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from diascope.core.errors import BadUsage, MissingPackage, StorageFull, Unavailable
from diascope.serve.database.migrating import migrate as bring_up_to_date

T = TypeVar("T")

REPLAYS = 12
"""How often a transaction that collided is tried, the waits between them doubling from 5 ms to 0.5 s."""

BUSY_MS = 10_000
"""How long SQLite waits for another process that writes."""

COLLISIONS = frozenset({"40001", "40P01", "55P03"})
"""PostgreSQL: serialization failure, deadlock, lock not available."""

FULL = frozenset({"53100", "53200"})
"""PostgreSQL: disk full, out of memory."""


class Database:
    """One database.

    Args:
        engine: Of transactions that write.
        reader: Of those that only read; the same one on PostgreSQL.
    """

    def __init__(self, engine: Engine, reader: Engine) -> None:
        self.engine, self._reader = engine, reader
        self.is_sqlite = engine.dialect.name == "sqlite"
        self._writing = threading.Lock()

    @classmethod
    def open(cls, url: str, tables: MetaData, migrate: bool | None = True) -> Database:
        """Open, and make or migrate what is there.

        Args:
            url: `sqlite:///path` or `postgresql://user@host/name`.
            tables: What it holds.
            migrate: Whether migrations are run; else the tables are made as they are now (tests). None: it is only
                looked at, and may be another version's.

        Raises:
            BadUsage: When the address is none, or the database was made by a newer version.
            MissingPackage: When the driver is not installed.
            Unavailable: When it does not answer.
        """
        address = _address(url)
        try:
            engine = _sqlite(address) if address.get_backend_name() == "sqlite" else _server(address)
        except (NoSuchModuleError, ModuleNotFoundError) as error:
            raise MissingPackage("psycopg", "postgresql", "A PostgreSQL database") from error
        reader = _sqlite(address, read_only=True) if engine.dialect.name == "sqlite" else engine
        database = cls(engine, reader)
        try:
            if migrate:
                bring_up_to_date(engine, tables)
            elif migrate is not None:
                tables.create_all(engine)
        except DBAPIError as error:
            database.close()
            raise _unavailable(error) from error
        except BadUsage:
            database.close()
            raise
        return database

    def close(self) -> None:
        """End all connections."""
        self.engine.dispose()
        self._reader.dispose()

    def change(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction that is durable when this returns.

        `work` may run several times: it changes nothing but the database.

        Raises:
            Unavailable: When the database does not answer, or collides again and again.
            StorageFull: When its disk is full.
        """
        wait = 0.005
        for tried in range(REPLAYS):
            try:
                return self._once(work)
            except DBAPIError as error:
                if not _collided(error):
                    raise _plain(error) from error
                if tried == REPLAYS - 1:
                    raise _unavailable(error) from error
            time.sleep(wait * (0.5 + random.random()))
            wait = min(2 * wait, 0.5)
        raise AssertionError("unreachable")

    def _once(self, work: Callable[[Connection], T]) -> T:
        if not self.is_sqlite:
            with self.engine.begin() as connection:
                return work(connection)
        with self._writing, self.engine.begin() as connection:  # threads wait here, which is fair, and not in SQLite
            return work(connection)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one state of the database and changes nothing.

        Raises:
            Unavailable: When the database does not answer.
        """
        try:
            with self._reader.connect() as connection, connection.begin():
                yield connection
        except DBAPIError as error:
            raise _plain(error) from error


def _address(url: str) -> URL:
    try:
        address = make_url(url)
    except ArgumentError as error:
        raise BadUsage("this is no address of a database", todo="Write sqlite:///FILE or postgresql://…") from error
    if address.drivername in {"postgresql", "postgres"}:
        return address.set(drivername="postgresql+psycopg")
    if address.get_backend_name() not in {"sqlite", "postgresql"}:
        raise BadUsage("no such database", given=address.drivername, todo="SQLite and PostgreSQL are known")
    return address


def _sqlite(address: URL, read_only: bool = False) -> Engine:
    engine = create_engine(
        address, pool_size=4 if read_only else 1, max_overflow=12 if read_only else 1, hide_parameters=True
    )

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # transactions begin where we say so
        for setting in (
            f"busy_timeout={BUSY_MS}",
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "cache_size=-32000",
            "mmap_size=268435456",
            *(["query_only=ON"] if read_only else []),
        ):
            connection.execute(f"PRAGMA {setting}").close()

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


def _server(address: URL) -> Engine:
    return create_engine(
        address,
        pool_size=8,
        max_overflow=16,
        pool_pre_ping=True,
        hide_parameters=True,  # values may name a patient: they are in no log and no error (C10)
        connect_args={"connect_timeout": 5},
    )


def _collided(error: DBAPIError) -> bool:
    if getattr(error.orig, "sqlstate", None) in COLLISIONS:
        return True
    return "database is locked" in str(error.orig) or "database table is locked" in str(error.orig)


def _plain(error: DBAPIError) -> Exception:
    """What a caller can understand; a broken rule of the tables stays what it is."""
    state, words = str(getattr(error.orig, "sqlstate", "") or ""), str(error.orig)
    if state in FULL or "disk is full" in words:
        return StorageFull("the disk of the database is full", todo="Free disk space; nothing was changed")
    if error.connection_invalidated or state.startswith(("08", "57")) or "unable to open" in words:
        return _unavailable(error)
    return error


def _unavailable(error: DBAPIError) -> Unavailable:
    # The statement and its values stay out of the message: they may name a patient.
    kind = type(error.orig).__name__ if error.orig is not None else type(error).__name__
    return Unavailable("the database does not answer", given=kind, todo="See whether it runs, and try again")
