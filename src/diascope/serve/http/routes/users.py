"""Users: made, changed, closed, opened again. Nobody is deleted, so a name in the audit trail is one person."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import Field

from diascope.core.errors import BadUsage
from diascope.serve.access import users
from diascope.serve.http.asking import Who, operation
from diascope.serve.http.fields import Answer, Body, Id, InPath, Line, Time
from diascope.serve.http.idempotency import Once
from diascope.serve.http.paging import Page, Paged, walked

router = APIRouter(prefix="/users", tags=["users"])

Role = Literal["reader", "researcher", "steward", "administrator", "service"]


class User(Answer):
    """A user."""

    id: str
    """For ever."""
    name: str
    """Logged in with; for ever."""
    display: str
    """As it is shown."""
    role: Role
    """What it may do follows from this."""
    disabled: bool
    """Whether the account is closed."""
    must_change: bool
    """Whether its password was given by an administrator."""
    created: Time
    """When it was made."""
    projects: Annotated[list[str], Field(json_schema_extra={"uniqueItems": True})]
    """Ids of the projects that it is a member of."""


class NewUser(Body):
    """A user to be made."""

    name: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x20\x7f-\xa0]+$")]
    """A letter or digit first, then letters, digits and . @ _ -"""
    role: Role
    """What it may do follows from this; `service` is for programs, which have tokens and no password."""
    display: Line = ""
    """As it is shown."""
    projects: Annotated[list[Id], Field(max_length=1000, default_factory=list)]
    """Ids of the projects that it is a member of."""


class Changed(Body):
    """What is changed of a user; what is not given stays."""

    role: Role | None = None
    """Counts from the next request on."""
    display: Line | None = None
    """As it is shown."""
    disabled: bool | None = None
    """True closes the account, its sessions and tokens end now; false opens it again."""


class Made(Answer):
    """A user that was just made."""

    user: User
    """What is kept."""
    password: str | None
    """For one use, within 72 hours; it is shown this once. Null for a program."""


class Password(Answer):
    """A password for one use."""

    password: str
    """Good for 72 hours; it is shown this once."""


@router.get("", openapi_extra=operation("users.list"))
def list_users(asked: Who, paging: Paged) -> Page[User]:
    """Users by name."""
    found, following = walked(
        asked, paging, lambda after, limit: users.listed(asked.service, after, limit), lambda one: one.name
    )
    return Page(items=[shown(one) for one in found], next=following)


@router.post("", status_code=201, openapi_extra=operation("users.write"))
def make_user(asked: Who, once: Once, body: NewUser) -> Made:
    """Make a user; the answer holds the password for the first login."""

    def work() -> Made:
        user, password = users.create(
            asked.service, body.name, body.role, asked.caller, body.display, tuple(body.projects)
        )
        return Made(user=shown(user), password=password)

    return once.through(Made, work)


@router.get("/{user}", openapi_extra=operation("users.read"))
def read_user(asked: Who, user: InPath) -> User:
    """A user."""
    return shown(users.read(asked.service, user))


@router.patch("/{user}", openapi_extra=operation("users.write"))
def change_user(asked: Who, user: InPath, body: Changed) -> User:
    """Give a user another role or name to show; close or open the account."""
    service, by = asked.service, asked.caller
    if body.disabled is not None and (body.role is not None or body.display is not None):
        raise BadUsage("closing or opening an account goes alone", todo="Send `disabled` in a request of its own")
    if body.disabled is not None:
        return shown((users.disable if body.disabled else users.enable)(service, user, by))
    return shown(users.change(service, user, by, role=body.role, display=body.display))


@router.post("/{user}/password", status_code=201, openapi_extra=operation("users.write"))
def reset_password(asked: Who, once: Once, user: InPath) -> Password:
    """Give a user a new password for one use; sessions and tokens end."""
    return once.through(Password, lambda: Password(password=users.reset_password(asked.service, user, asked.caller)))


def shown(user: users.User) -> User:
    """A user as the API writes it."""
    return User.model_validate({**vars(user), "projects": sorted(user.projects)})
