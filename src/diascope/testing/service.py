"""A service on a temporary folder, for tests of its parts."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from diascope.serve.access import users
from diascope.serve.access.matrix import Caller
from diascope.serve.access.passwords import PASSWORDS
from diascope.serve.database import tables
from diascope.serve.service import FIRST_PROJECT, Service
from diascope.serve.settings import Settings
from diascope.store.workspace import Workspace
from diascope.testing.postgres import VARIABLE, a_database


class Clock:
    """Time that only a test moves.

    Args:
        now: Seconds since 1970.
    """

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


def a_service(folder: Path, clock: Callable[[], float] | None = None, **settings: Any) -> Service:
    """A service that was just opened, with its keys in the same folder.

    Args:
        folder: Of the workspace; made where it does not exist.
        clock: Of the service.
        **settings: Fields of `Settings`.
    """
    plain = {"keys": folder / "keys.json", "port": 0, "dicom_port": 0, "keep_free_gb": 0.0}
    if VARIABLE in os.environ:
        plain |= {"database": an_address(folder, "index"), "identities": an_address(folder, "identities")}
    chosen = Settings.model_validate({**plain, **settings})
    service = Service.open(Workspace(folder), chosen, clock or Clock(), migrate=False)
    _opened.append(service)
    return service


def end_connections() -> None:
    """End the connections of every service that was opened so far; `tests/unit/serve/conftest.py` does it."""
    while _opened:
        service = _opened.pop()
        service.shelf.close()
        service.database.close()
        service.identities.database.close()


_opened: list[Service] = []


def an_address(folder: Path, name: str) -> str:
    """The address of a database of a folder, the same one each time: SQLite, or PostgreSQL where tests run on it."""
    server = os.environ.get(VARIABLE)
    if server is None:
        folder.mkdir(parents=True, exist_ok=True)
        return f"sqlite:///{folder / f'{name}.sqlite'}"
    kept = folder / f"{name}.address"
    if not kept.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        kept.write_text(a_database(server), encoding="utf-8")
    return kept.read_text(encoding="utf-8")


PASSWORD = "sieve-lantern-orchid"
"""Of every user that `a_user` makes."""


def a_user(service: Service, name: str, role: str = "reader", projects: Sequence[str] = (FIRST_PROJECT,)) -> Caller:
    """A user who has set a password, and is not logged in.

    Args:
        service: Whose.
        name: Logged in with.
        role: One of the roles.
        projects: Ids.
    """
    user, _ = users.create(service, name, role, users.HOST, projects=projects)
    if role != "service":
        kept = update(tables.users).where(tables.users.c.id == user.id).values(password=_kept(), must_change=False)
        service.database.change(lambda connection: connection.execute(kept))
    return Caller(user.id, user.name, role, user.projects)


def events(service: Service, *actions: str) -> list[dict[str, Any]]:
    """Records of the audit trail, those of some actions or all."""
    query = select(tables.audit).order_by(tables.audit.c.sequence)
    with service.database.reading() as connection:
        rows = [dict(row) for row in connection.execute(query).mappings()]
    return [row for row in rows if not actions or row["action"] in actions]


@cache
def _kept() -> str:
    return PASSWORDS.stored(PASSWORD)
