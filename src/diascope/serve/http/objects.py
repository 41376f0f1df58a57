"""Objects that a request brings: into the archive, then the row that names them; what no row names is removed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pydantic import BaseModel
from sqlalchemy import Connection

from diascope.core.errors import DiascopeError
from diascope.serve.http.asking import Asked
from diascope.serve.http.idempotency import Repeatable
from diascope.store.archive import Stored

M = TypeVar("M", bound=BaseModel)


def keep(asked: Asked, once: Repeatable, kind: type[M], content: bytes, work: Callable[[Connection, Stored], M]) -> M:
    """Keep an object and the row of it.

    Args:
        asked: Whose request it is.
        once: Of the request.
        kind: Of the answer.
        content: Of the object.
        work: Writes the row with its key in one transaction; it may run twice.

    Raises:
        StorageFailed: When the archive does not take it.
    """
    archive = asked.service.archive
    stored = archive.put(content)
    named = list[str]()

    def done(connection: Connection) -> M:
        named.clear()
        answer = work(connection, stored)
        named.append(stored.key)
        return answer

    try:
        return once.change(kind, done)
    finally:
        if not named:
            _discard(asked, stored.key)


def _discard(asked: Asked, key: str) -> None:
    try:
        asked.service.archive.delete(key)
    except DiascopeError:  # the sweep of the archive does it
        return
