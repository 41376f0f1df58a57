"""Writes that may be repeated: the same `Idempotency-Key` and the same request give the answer that was given.

The key is taken and the answer kept in the transaction of the work itself: of two at once one works, the other gets its
answer, and a crash keeps both or neither. Answers are sealed, for some hold a token or a name; of the key and of the
request only hashes are kept. After a day they are forgotten. What failed changed nothing, and may be tried again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel
from sqlalchemy import ColumnElement, Connection, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from diascope.core.errors import Conflict, DiascopeError
from diascope.privacy.sealing import Sealer
from diascope.serve.database.tables import idempotent
from diascope.serve.http.asking import Asked, Who

M = TypeVar("M", bound=BaseModel)

KEPT = 24 * 3600.0
"""Seconds that an answer is kept."""

REPLAYED = "Idempotency-Replayed"
UNKNOWN = 0
"""Status of a request whose answer is not known yet."""


@dataclass(frozen=True)
class Repeatable:
    """A write that makes something.

    Args:
        asked: By whom.
        key: Hash of the client's key; empty without one.
        request: Hash of method, address and body.
        status: Of the answer.
        response: Told when an answer is an old one.
    """

    asked: Asked
    key: str
    request: str
    status: int
    response: Response

    def change(self, kind: type[M], work: Callable[[Connection], M]) -> M:
        """Do it once, in one transaction.

        Args:
            kind: Of the answer.
            work: Changes nothing but the database; see `Database.change`.

        Raises:
            Conflict: When the key came with another request.
        """
        database = self.asked.service.database
        if not self.key:
            return database.change(work)

        def once(connection: Connection) -> tuple[M, bool]:
            if not self._claimed(connection):
                return self._stored(connection, kind), True
            answer = work(connection)
            self._keep(connection, answer)
            return answer, False

        return self._told(*database.change(once))

    def through(self, kind: type[M], work: Callable[[], M]) -> M:
        """Do once what has transactions of its own; after a crash in between the outcome is not known, nor guessed.

        Raises:
            Conflict: When the key came with another request, or that request is still being answered.
        """
        database = self.asked.service.database
        if not self.key:
            return work()

        def stored(connection: Connection) -> M | None:
            return None if self._claimed(connection) else self._stored(connection, kind)

        if (old := database.change(stored)) is not None:
            return self._told(old, True)
        try:
            answer = work()
        except DiascopeError:  # it was refused, and changed nothing
            database.change(lambda connection: connection.execute(delete(idempotent).where(self._mine())))
            raise
        database.change(lambda connection: self._keep(connection, answer))
        return answer

    def _told(self, answer: M, old: bool) -> M:
        if old:
            self.response.headers[REPLAYED] = "true"
        return answer

    def _mine(self) -> ColumnElement[bool]:
        return (idempotent.c.user_id == self.asked.caller.id) & (idempotent.c.key == self.key)

    def _claimed(self, connection: Connection) -> bool:
        """Whether the key is new; on PostgreSQL this waits for another transaction that has just taken it."""
        now = self.asked.service.clock()
        connection.execute(delete(idempotent).where(idempotent.c.at < now - KEPT))
        row = {"user_id": self.asked.caller.id, "key": self.key, "request": self.request, "at": now}
        table = (sqlite if self.asked.service.database.is_sqlite else postgresql).insert(idempotent)
        made = table.values(**row, status=UNKNOWN, body=b"").on_conflict_do_nothing()
        # Not `rowcount`, which psycopg does not know of an insert.
        return connection.execute(made.returning(idempotent.c.id)).first() is not None

    def _keep(self, connection: Connection, answer: BaseModel) -> None:
        body = self._sealer().seal(answer.model_dump_json().encode(), self._context())
        connection.execute(update(idempotent).where(self._mine()).values(status=self.status, body=body))

    def _stored(self, connection: Connection, kind: type[M]) -> M:
        row = connection.execute(select(idempotent).where(self._mine())).one()
        if row.request != self.request:
            raise Conflict("this idempotency key came with another request", todo="Take a new key for a new request")
        if row.status == UNKNOWN:
            raise Conflict(
                "a request with this idempotency key has no answer yet",
                todo="Ask again soon; if it stays so, look whether it was made, and take a new key",
            )
        return kind.model_validate_json(self._sealer().open(row.body, self._context()))

    def _sealer(self) -> Sealer:
        return Sealer(self.asked.service.keys, "idempotent")

    def _context(self) -> str:
        return f"{self.asked.caller.id}:{self.key}"


Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern="^[!-~]{1,128}$",
        description="Any text of your own. The same key and the same request give the same answer for 24 h",
    ),
]


async def _repeatable(request: Request, response: Response, asked: Who, key: Key = None) -> Repeatable:
    return _made(request, response, asked, key, await request.body())


async def _unread(request: Request, response: Response, asked: Who, key: Key = None) -> Repeatable:
    return _made(request, response, asked, key, request.url.query.encode())


def _made(request: Request, response: Response, asked: Asked, key: str | None, body: bytes) -> Repeatable:
    given = b"\0".join([request.method.encode(), request.url.path.encode(), body])
    status = request.scope["route"].status_code or 200
    hashed = hashlib.sha256(key.encode()).hexdigest() if key else ""
    return Repeatable(asked, hashed, hashlib.sha256(given).hexdigest(), status, response)


Once = Annotated[Repeatable, Depends(_repeatable)]
"""The parameter of every route that makes something."""
OnceUnread = Annotated[Repeatable, Depends(_unread)]
"""The same where the body is a stream, which is not compared."""
