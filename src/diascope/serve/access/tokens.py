"""API tokens: scoped, expiring, revocable. The server keeps a token's SHA-256 only; it is shown once."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, RowMapping, Select, func, insert, select, update

from diascope.core.errors import BadUsage
from diascope.serve.access.matrix import Caller, checked_scopes
from diascope.serve.access.refusals import Missing, Taken
from diascope.serve.access.users import projects_of
from diascope.serve.audit import Event
from diascope.serve.database.tables import tokens, users

if TYPE_CHECKING:
    from diascope.serve.service import Service

PREFIX = "dsc_"
"""So that scanners find tokens that were left in files."""

DAYS, MOST_DAYS = 90, 365
"""How long a token is good where nothing is said, and at most."""

MOST_TOKENS = 50
"""Of one user that are alive."""

TOUCHED_EVERY = 60.0
"""Seconds: the last use of a token is written down no more often."""


@dataclass(frozen=True)
class Token:
    """A token as others may see it.

    Args:
        id: For ever.
        user: Id of its owner.
        owner: Name of its owner.
        name: What it is for.
        scopes: Operations that it carries.
        created: Seconds since 1970.
        expires: Seconds since 1970.
        revoked: Seconds since 1970; None where it was not.
        used: Last use to the minute, seconds since 1970; None before the first.
    """

    id: str
    user: str
    owner: str
    name: str
    scopes: tuple[str, ...]
    created: float
    expires: float
    revoked: float | None
    used: float | None


def issue(
    service: Service, by: Caller, name: str, scopes: Sequence[str], days: int = DAYS, user: str = ""
) -> tuple[Token, str]:
    """Make a token.

    Args:
        service: That it opens.
        by: Who makes it.
        name: What it is for.
        scopes: Operations, or `noun.*` for those of a noun that the owner may do today.
        days: How long it is good.
        user: Id of the service account that it is for; empty for the caller's own.

    Returns:
        What is kept, and the token, which is nowhere else.

    Raises:
        Missing: When there is no such user.
        BadUsage: When the name, the days or a scope makes no sense.
        UnknownName: When a scope is no operation.
        Taken: When the account is another person's or closed, or has too many tokens.
    """
    if not name.strip() or len(name) > 128 or not name.isprintable():
        raise BadUsage("a token needs a name of 1 to 128 characters", given=name[:140], todo="Say what it is for")
    if not 1 <= days <= MOST_DAYS:
        raise BadUsage("a token is good for one day or more, and a year at most", given=days)
    secret, now, owner = PREFIX + secrets.token_urlsafe(32), service.clock(), user or by.id

    def work(connection: Connection) -> Token:
        row = connection.execute(select(users).where(users.c.id == owner)).mappings().first()
        if row is None:
            raise Missing("user", owner[:64])
        _refuse_owner(connection, row, by, now)
        kept: dict[str, Any] = {"id": secrets.token_hex(16), "user_id": owner, "name": name, "digest": _digest(secret)}
        kept |= {"scopes": list(checked_scopes(scopes, row["role"])), "created": now, "expires": now + days * 86400}
        connection.execute(insert(tokens).values(**kept))
        detail = {"scopes": kept["scopes"], "days": days, "owner": row["name"]}
        event = Event("token.issued", by.actor, f"token:{kept['id']}", address=by.address, detail=detail)
        service.audit.append(connection, event)
        return _read(connection, kept["id"])

    return service.database.change(work), secret


def caller(service: Service, secret: str, address: str) -> Caller | None:
    """Who asks with a token; None where it is unknown, revoked or over, or its owner's account is closed.

    Args:
        service: That is asked.
        secret: The token.
        address: Where the request comes from.
    """
    if not secret.startswith(PREFIX):
        return None
    now = service.clock()
    columns = [tokens.c.id.label("token"), tokens.c.scopes, tokens.c.used]
    query = select(*columns, users.c.id, users.c.name, users.c.role, users.c.must_change).join(users)
    alive = (tokens.c.revoked.is_(None), tokens.c.expires > now, users.c.disabled.is_(False))
    with service.database.reading() as connection:
        row = connection.execute(query.where(tokens.c.digest == _digest(secret), *alive)).mappings().first()
        if row is None:
            return None
        places = projects_of(connection, [row["id"]]).get(row["id"], frozenset())
    if row["used"] is None or abs(now - row["used"]) >= TOUCHED_EVERY:
        touch = update(tokens).where(tokens.c.id == row["token"]).values(used=now)
        service.database.change(lambda connection: connection.execute(touch))
    scopes = frozenset(row["scopes"])
    return Caller(row["id"], row["name"], row["role"], places, scopes, row["must_change"], address)


def listed(service: Service, user: str = "", after: str = "", limit: int = 100) -> list[Token]:
    """Tokens by id, a page at a time, those that are over included.

    Args:
        service: That is asked.
        user: Id of an owner; empty for everybody's.
        after: Id of the last one of the page before.
        limit: How many.
    """
    query = _query().where(tokens.c.id > after).order_by(tokens.c.id).limit(limit)
    if user:
        query = query.where(tokens.c.user_id == user)
    with service.database.reading() as connection:
        return [_token(row) for row in connection.execute(query).mappings()]


def revoke(service: Service, token: str, by: Caller, own: bool = True) -> Token:
    """End a token now.

    Args:
        service: That it opens.
        token: Its id.
        by: Who ends it.
        own: Whether only the caller's own tokens are looked at (`me.tokens`), or everybody's (`tokens.revoke`).

    Raises:
        Missing: When there is no such token.
    """

    def work(connection: Connection) -> Token:
        found = _read(connection, token)
        if own and found.user != by.id:
            raise Missing("token", token[:64])
        if found.revoked is None:
            connection.execute(update(tokens).where(tokens.c.id == token).values(revoked=service.clock()))
            detail = {"owner": found.owner}
            event = Event("token.revoked", by.actor, f"token:{token}", address=by.address, detail=detail)
            service.audit.append(connection, event)
        return _read(connection, token)

    return service.database.change(work)


def _refuse_owner(connection: Connection, owner: RowMapping, by: Caller, now: float) -> None:
    if owner["id"] != by.id and owner["role"] != "service":
        raise Taken("a person makes their own tokens", given=owner["name"], todo="Make a service account")
    if owner["disabled"]:
        raise Taken("this account is closed", given=owner["name"])
    alive = (tokens.c.user_id == owner["id"], tokens.c.revoked.is_(None), tokens.c.expires > now)
    count = connection.execute(select(func.count()).select_from(tokens).where(*alive)).scalar_one()
    if count >= MOST_TOKENS:
        raise Taken("this account has too many tokens", given=count, todo="Revoke those that nobody uses")


def _query() -> Select[tuple[object, ...]]:
    return select(tokens, users.c.name.label("owner")).join(users)


def _read(connection: Connection, token: str) -> Token:
    row = connection.execute(_query().where(tokens.c.id == token)).mappings().first()
    if row is None:
        raise Missing("token", token[:64])
    return _token(row)


def _token(row: RowMapping) -> Token:
    keys = ("id", "owner", "name", "created", "expires", "revoked", "used")
    return Token(user=row["user_id"], scopes=tuple(row["scopes"]), **{key: row[key] for key in keys})


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
