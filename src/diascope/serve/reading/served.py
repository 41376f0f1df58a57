"""Which releases are in service: signed ones, unless somebody withdrew them (K4)."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from diascope.core.errors import DataRefused
from diascope.serve.database.tables import served

WITHDRAWN = "withdrawn"
IN_SERVICE = "in service"


class NotServed(DataRefused):
    """A release that must not read: withdrawn, or a candidate."""


def withdraw(connection: Connection, release: str, reason: str, by: str, now: float) -> None:
    """Take a release out of service: nothing is read with it from now on.

    Args:
        connection: Of the transaction.
        release: Its label, `name@version`.
        reason: Shown with every result that it would have given.
        by: Who says so.
        now: Seconds since 1970.
    """
    _put(connection, release, WITHDRAWN, reason, by, now)


def put_into_service(connection: Connection, release: str, by: str, now: float) -> None:
    """Let a release read again."""
    _put(connection, release, IN_SERVICE, "", by, now)


def must_be_served(connection: Connection, release: str) -> None:
    """Refuse a release that was withdrawn.

    Raises:
        NotServed: With the reason.
    """
    row = connection.execute(select(served.c.state, served.c.reason).where(served.c.release == release)).first()
    if row is not None and row.state == WITHDRAWN:
        raise NotServed(f"{release} was withdrawn{': ' + row.reason if row.reason else ''}")


def withdrawn(connection: Connection) -> set[str]:
    """Labels of the releases that were taken out of service."""
    return set(connection.execute(select(served.c.release).where(served.c.state == WITHDRAWN)).scalars())


def _put(connection: Connection, release: str, state: str, reason: str, by: str, now: float) -> None:
    connection.execute(delete(served).where(served.c.release == release))
    connection.execute(insert(served).values(release=release, state=state, reason=reason, by=by, at=now))
