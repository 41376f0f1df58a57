"""Lists, a page at a time, by keys and not by numbers of rows: what is added or deleted meanwhile shifts nothing.

A cursor holds the order's values of the last item that was shown. It is signed, so that it is opaque, and names its
list. It stands in addresses: so lists are ordered by ids and times, never by anything that names a patient.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Depends, Query
from sqlalchemy import Column, Connection, RowMapping, Select, literal, tuple_

from diascope.core.errors import BadUsage
from diascope.serve.http.asking import Asked
from diascope.serve.http.fields import Answer
from diascope.serve.service import Service

T = TypeVar("T")

MOST = 1000
"""Items of a page."""

SIGNED = 12
"""Bytes of a cursor's signature."""


class Page(Answer, Generic[T]):
    """A page of a list."""

    items: list[T]
    """In the order of the list."""
    next: str | None = None
    """Send it as `after` for the next page; null on the last one."""


@dataclass(frozen=True)
class Paging:
    """Which page is asked for.

    Args:
        limit: Items at most.
        after: Cursor; None is the first page.
    """

    limit: int
    after: str | None


async def _paging(
    limit: Annotated[int, Query(ge=1, le=MOST, description="Items of a page, at most")] = 100,
    after: Annotated[
        str | None, Query(max_length=1024, pattern="^[A-Za-z0-9_-]+$", description="`next` of the page before")
    ] = None,
) -> Paging:
    return Paging(limit, after)


Paged = Annotated[Paging, Depends(_paging)]
"""The parameters of a list."""


def page(
    asked: Asked,
    connection: Connection,
    query: Select[Any],
    order: Sequence[Column[Any]],
    paging: Paging,
    newest_first: bool = False,
) -> tuple[list[RowMapping], str | None]:
    """The rows of one page, and the cursor of the next.

    Args:
        asked: Its operation names the list.
        connection: For reading.
        query: Of all rows, without order.
        order: Columns, of which the last is unique; the query selects them under their own names.
        paging: Which page.
        newest_first: Whether the order is descending.

    Raises:
        BadUsage: When the cursor is not one of this list.
    """
    if paging.after is not None:
        last = opened(asked.service, asked.operation, paging.after)
        if len(last) != len(order):
            raise _strange()
        here = tuple_(*order)
        there = tuple_(*(literal(value, column.type) for value, column in zip(last, order, strict=True)))
        query = query.where(here < there if newest_first else here > there)
    query = query.order_by(*(column.desc() if newest_first else column for column in order)).limit(paging.limit + 1)
    rows = list(connection.execute(query).mappings())
    if len(rows) <= paging.limit:
        return rows, None
    rows = rows[: paging.limit]
    return rows, sealed(asked.service, asked.operation, [rows[-1][column.name] for column in order])


def listed(
    asked: Asked,
    query: Select[Any],
    order: Sequence[Column[Any]],
    paging: Paging,
    make: Callable[[RowMapping], T],
    newest_first: bool = False,
) -> Page[T]:
    """A page of answers made from rows; see `page`."""
    with asked.service.database.reading() as connection:
        rows, following = page(asked, connection, query, order, paging, newest_first)
    return Page(items=[make(row) for row in rows], next=following)


def sealed(service: Service, name: str, values: Sequence[Any]) -> str:
    """A cursor of a list."""
    content = json.dumps(list(values), separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_signature(service, name, content) + content).decode().rstrip("=")


def opened(service: Service, name: str, cursor: str) -> list[Any]:
    """The values of a cursor.

    Raises:
        BadUsage: When this service did not make it for this list.
    """
    try:
        content = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except (binascii.Error, ValueError) as error:
        raise _strange() from error
    signature, content = content[:SIGNED], content[SIGNED:]
    if not hmac.compare_digest(signature, _signature(service, name, content)):
        raise _strange()
    found: list[Any] = json.loads(content)
    return found


def _signature(service: Service, name: str, content: bytes) -> bytes:
    return hmac.digest(service.keys.derived("cursors"), name.encode() + b"\0" + content, "sha256")[:SIGNED]


def _strange() -> BadUsage:
    return BadUsage("this cursor is none of this list", todo="Send `next` of the page before, as it was")


def walked(
    asked: Asked, paging: Paging, fetch: Callable[[str, int], Sequence[T]], key: Callable[[T], str]
) -> tuple[list[T], str | None]:
    """A page of what is fetched in the order of a text.

    Args:
        asked: Its operation names the list.
        paging: Which page.
        fetch: Gives so many items after a text.
        key: The text of an item.

    Raises:
        BadUsage: When the cursor is not one of this list.
    """
    after = "" if paging.after is None else str(opened(asked.service, asked.operation, paging.after)[0])
    found = list(fetch(after, paging.limit + 1))
    if len(found) <= paging.limit:
        return found, None
    found = found[: paging.limit]
    return found, sealed(asked.service, asked.operation, [key(found[-1])])
