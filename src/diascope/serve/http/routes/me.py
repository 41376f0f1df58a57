"""One's own account: what it may do and why not, its password, sessions and tokens."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field
from sqlalchemy import select

from diascope.core.errors import UnknownName
from diascope.serve.access import logins, tokens
from diascope.serve.access.matrix import decide
from diascope.serve.access.operations import OPERATIONS
from diascope.serve.database.tables import users
from diascope.serve.http.asking import Asked, Who, address_of, cookie_of, operation, session_of
from diascope.serve.http.fields import Answer, Body, InPath, Time, utc
from diascope.serve.http.idempotency import Once
from diascope.serve.http.paging import Page, Paged, walked
from diascope.serve.http.routes.session import Begun, begun

router = APIRouter(prefix="/me", tags=["me"])


class Account(Answer):
    """Whoever asks."""

    id: str
    """For ever."""
    name: str
    """Logged in with."""
    display: str
    """As it is shown."""
    role: str
    """What it may do follows from this."""
    projects: list[str]
    """Ids of the projects that it is a member of."""
    scopes: list[str] | None
    """Operations that the token of this request carries; null with a session, which carries all of the role."""
    must_change: bool
    """Whether a new password must be set before anything else."""


class Right(Answer):
    """Whether something may be done, and why."""

    operation: str
    """`noun.verb`."""
    what: str
    """What it does, in words."""
    project: str | None
    """Where; null is anywhere at all."""
    allowed: bool
    """Whether it may be done."""
    why: str
    """By which right; or what is missing, and who can give it."""
    roles: list[str]
    """Roles that may do it."""


class Rights(Answer):
    """Rights of whoever asks."""

    items: list[Right]
    """In the order of the written matrix."""


class NewPassword(Body):
    """A password of one's own."""

    old: Annotated[str, Field(min_length=1, max_length=1024)]
    """The password until now."""
    new: Annotated[str, Field(min_length=1, max_length=1024)]
    """The password from now on: 12 characters or more, and not what others guess first."""


class Session(Answer):
    """A session that is alive."""

    id: str
    """Names it without opening it."""
    begun: Time
    """When somebody logged in."""
    used: Time
    """Last use, to the minute."""
    address: str
    """From where it was begun."""
    this: bool
    """Whether it is the one of this request."""


class Sessions(Answer):
    """One's own sessions."""

    items: list[Session]
    """The last used first."""


class NewToken(Body):
    """A token to be made."""

    name: Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\x00-\x20\x7f-\xa0][^\x00-\x1f\x7f-\x9f]*$")]
    """What it is for."""
    scopes: Annotated[list[Annotated[str, Field(max_length=64)]], Field(min_length=1, max_length=200)]
    """Operations that it carries; `studies.*` is all of a noun that the role may do today."""
    days: Annotated[int, Field(ge=1, le=tokens.MOST_DAYS)] = tokens.DAYS
    """How long it is good, days."""


class Token(Answer):
    """A token, without its secret."""

    id: str
    """For ever."""
    owner: str
    """Name of the user whose it is."""
    name: str
    """What it is for."""
    scopes: list[str]
    """Operations that it carries."""
    created: Time
    """When it was made."""
    expires: Time
    """When it ends."""
    revoked: Time | None
    """When it was ended before that; null where it was not."""
    used: Time | None
    """Last use, to the minute; null before the first."""


class Issued(Answer):
    """A token that was just made."""

    token: Token
    """What is kept of it."""
    secret: str
    """Send it as `Authorization: Bearer …`. It is shown this once, and kept nowhere."""


@router.get("", openapi_extra=operation("me.read"))
def read_account(asked: Who) -> Account:
    """One's own account."""
    caller = asked.caller
    with asked.service.database.reading() as connection:
        display = connection.execute(select(users.c.display).where(users.c.id == caller.id)).scalar() or ""
    return Account(
        id=caller.id,
        name=caller.name,
        display=display,
        role=caller.role,
        projects=sorted(caller.projects),
        scopes=None if caller.scopes is None else sorted(caller.scopes),
        must_change=caller.must_change,
    )


@router.get("/rights", openapi_extra=operation("me.read"))
def read_rights(
    asked: Who,
    operation: Annotated[str | None, Query(max_length=64, description="One operation; without it, all")] = None,
    project: Annotated[str | None, Query(max_length=32, description="Id of the project that it is done in")] = None,
) -> Rights:
    """What one may do, and why something may not be done."""
    if operation is not None and operation not in OPERATIONS:
        raise UnknownName("operation", operation, OPERATIONS)
    names = list(OPERATIONS) if operation is None else [operation]
    return Rights(items=[_right(asked, name, project) for name in names])


@router.put("/password", openapi_extra=operation("me.password"))
def change_password(request: Request, response: Response, asked: Who, body: NewPassword) -> Begun:
    """Set a password of one's own; all other sessions end, and this one gets a new id."""
    session_of(request)
    found = logins.change_password(asked.service, cookie_of(request), body.old, body.new, address_of(request))
    return begun(request, response, found)


@router.get("/sessions", openapi_extra=operation("me.sessions"))
def list_sessions(request: Request, asked: Who) -> Sessions:
    """One's own sessions."""
    this = session_of(request).digest
    found = logins.listed(asked.service, asked.caller)
    return Sessions(
        items=[
            Session(
                id=one.digest, begun=utc(one.created), used=utc(one.used), address=one.address, this=one.digest == this
            )
            for one in found
        ]
    )


@router.delete("/sessions", status_code=204, openapi_extra=operation("me.sessions"))
def end_sessions(asked: Who) -> None:
    """End all of one's own sessions, this one too."""
    logins.logout_everywhere(asked.service, asked.caller)


@router.delete("/sessions/{session}", status_code=204, openapi_extra=operation("me.sessions"))
def end_session(
    asked: Who, session: Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="`id` of a session")]
) -> None:
    """End one of one's own sessions."""
    logins.end(asked.service, asked.caller, session)


@router.get("/tokens", openapi_extra=operation("me.tokens"))
def list_tokens(asked: Who, paging: Paged) -> Page[Token]:
    """One's own tokens, those that are over included."""
    return page_of_tokens(asked, paging, asked.caller.id)


@router.post("/tokens", status_code=201, openapi_extra=operation("me.tokens"))
def make_token(asked: Who, once: Once, body: NewToken) -> Issued:
    """Make a token of one's own."""
    return once.through(Issued, lambda: issued(asked, body))


@router.delete("/tokens/{token}", openapi_extra=operation("me.tokens"))
def revoke_token(asked: Who, token: InPath) -> Token:
    """End a token of one's own now."""
    return Token.model_validate(tokens.revoke(asked.service, token, asked.caller))


def issued(asked: Asked, body: NewToken, user: str = "") -> Issued:
    """Make a token; see `tokens.issue`."""
    token, secret = tokens.issue(asked.service, asked.caller, body.name, body.scopes, body.days, user)
    return Issued(token=Token.model_validate(token), secret=secret)


def page_of_tokens(asked: Asked, paging: Any, user: str = "") -> Page[Token]:
    """Tokens of one user, or of all."""
    found, following = walked(
        asked, paging, lambda after, limit: tokens.listed(asked.service, user, after, limit), lambda one: one.id
    )
    return Page(items=[Token.model_validate(one) for one in found], next=following)


def _right(asked: Asked, name: str, project: str | None) -> Right:
    found = decide(name, asked.caller, project)
    return Right(
        operation=name,
        what=OPERATIONS[name].what,
        project=project,
        allowed=found.allowed,
        why=found.why,
        roles=list(found.roles),
    )
