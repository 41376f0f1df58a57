"""Users: made, changed, disabled, given new passwords. Nobody is deleted, so a name in the audit trail is one person.

Whether somebody may do this is asked before (`matrix.require`).
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import Connection, RowMapping, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from diascope.core.errors import BadUsage
from diascope.serve.access.limits import account_of, forgive
from diascope.serve.access.matrix import checked_role
from diascope.serve.access.passwords import PASSWORDS
from diascope.serve.access.refusals import Missing, Taken
from diascope.serve.audit import Event
from diascope.serve.database.tables import memberships, projects, sessions, tokens, users

if TYPE_CHECKING:
    from diascope.serve.service import Service

NAME = re.compile(r"[^\W_][\w.@-]{0,63}")
"""A letter or digit, then letters, digits, `. @ _ -`, in any script."""


class Acting(Protocol):
    """Whoever changes something: a `Caller`, or `HOST`."""

    @property
    def actor(self) -> str: ...
    @property
    def address(self) -> str: ...


@dataclass(frozen=True)
class Host:
    """Somebody at the command line of the host, who needs no password."""

    actor: str = "host"
    address: str = ""


HOST = Host()


@dataclass(frozen=True)
class User:
    """A user as others may see one.

    Args:
        id: For ever.
        name: Logged in with; for ever.
        display: As it is shown.
        role: One of `ROLES`.
        disabled: Whether the account is closed.
        must_change: Whether the password was given by an administrator.
        created: Seconds since 1970.
        projects: Ids.
    """

    id: str
    name: str
    display: str
    role: str
    disabled: bool
    must_change: bool
    created: float
    projects: frozenset[str]


def listed(service: Service, after: str = "", limit: int = 100) -> list[User]:
    """Users by name, a page at a time.

    Args:
        service: That is asked.
        after: Name of the last one of the page before.
        limit: How many.
    """
    with service.database.reading() as connection:
        query = select(users).where(users.c.name > after).order_by(users.c.name).limit(limit)
        rows = connection.execute(query).mappings().all()
        places = projects_of(connection, [row["id"] for row in rows])
    return [_user(row, places.get(row["id"], frozenset())) for row in rows]


def read(service: Service, user: str) -> User:
    """A user by id.

    Raises:
        Missing: When there is none.
    """
    with service.database.reading() as connection:
        return _read(connection, user)


def create(
    service: Service, name: str, role: str, by: Acting, display: str = "", projects: Sequence[str] = ()
) -> tuple[User, str | None]:
    """Make a user.

    Returns:
        The user, and the one-time password, which is nowhere else; None for a service account, which has tokens.

    Raises:
        BadUsage: When the name makes no sense.
        UnknownName: When there is no such role.
        Missing: When there is no such project.
        Taken: When somebody has the name.
    """
    name, role, display = checked_name(name), checked_role(role), _checked_display(display)
    now, user = service.clock(), secrets.token_hex(16)
    password, stored = (None, None) if role == "service" else PASSWORDS.one_time(now)
    row: dict[str, Any] = {"id": user, "name": name, "display": display, "role": role, "password": stored}
    row |= {"must_change": stored is not None, "disabled": False, "created": now}

    def work(connection: Connection) -> User:
        if by_name(connection, name) is not None:
            raise _name_taken(name)
        connection.execute(insert(users).values(**row))
        for project in dict.fromkeys(projects):
            add_member(connection, user, project)
        detail = {"role": role, "projects": sorted(set(projects))}
        _tell(service, connection, by, "user.created", name, **detail)
        return _read(connection, user)

    try:
        return service.database.change(work), password
    except IntegrityError as error:  # two at once on PostgreSQL
        raise _name_taken(name) from error


def change(service: Service, user: str, by: Acting, *, role: str | None = None, display: str | None = None) -> User:
    """Give a user another role, or another name to show. A role counts from the next request on.

    Raises:
        Missing: When there is no such user.
        UnknownName: When there is no such role.
        Taken: When it is one's own role, the last administrator's, or a service account's.
    """
    new = {"role": role and checked_role(role), "display": display and _checked_display(display)}

    def work(connection: Connection) -> User:
        old = _read(connection, user)
        changed = {key: value for key, value in new.items() if value is not None and value != getattr(old, key)}
        if not changed:
            return old
        if "role" in changed:
            _refuse_role(connection, old, str(role), by)
        connection.execute(update(users).where(users.c.id == user).values(**changed))
        detail = {"role": role, "before": old.role} if "role" in changed else {"display": True}
        _tell(service, connection, by, "user.changed", old.name, **detail)
        return _read(connection, user)

    return service.database.change(work)


def disable(service: Service, user: str, by: Acting) -> User:
    """Close an account: its sessions and tokens end now.

    Raises:
        Missing: When there is no such user.
        Taken: When it is one's own account, or the last administrator's.
    """

    def work(connection: Connection) -> User:
        old = _read(connection, user)
        if old.disabled:
            return old
        _refuse_own(old, by, "close your own account")
        _refuse_last(connection, old)
        connection.execute(update(users).where(users.c.id == user).values(disabled=True))
        _end(service, connection, user)
        _tell(service, connection, by, "user.disabled", old.name)
        return _read(connection, user)

    return service.database.change(work)


def enable(service: Service, user: str, by: Acting) -> User:
    """Open an account again; its tokens stay revoked.

    Raises:
        Missing: When there is no such user.
    """

    def work(connection: Connection) -> User:
        old = _read(connection, user)
        if old.disabled:
            connection.execute(update(users).where(users.c.id == user).values(disabled=False))
            _tell(service, connection, by, "user.enabled", old.name)
        return _read(connection, user)

    return service.database.change(work)


def reset_password(service: Service, user: str, by: Acting) -> str:
    """A new one-time password; sessions and tokens end, failed logins are forgotten.

    Raises:
        Missing: When there is no such user.
        BadUsage: When it is a service account, which has none.
    """
    now = service.clock()
    password, stored = PASSWORDS.one_time(now)

    def work(connection: Connection) -> None:
        old = _read(connection, user)
        if old.role == "service":
            raise BadUsage("a service account has no password", given=old.name, todo="Make a token for it")
        connection.execute(update(users).where(users.c.id == user).values(password=stored, must_change=True))
        _end(service, connection, user)
        forgive(connection, account_of(old.name))
        _tell(service, connection, by, "password.reset", old.name)

    service.database.change(work)
    return password


def _end(service: Service, connection: Connection, user: str) -> None:
    connection.execute(delete(sessions).where(sessions.c.user_id == user))
    alive = tokens.c.revoked.is_(None)
    now = service.clock()
    connection.execute(update(tokens).where(tokens.c.user_id == user, alive).values(revoked=now))


def _tell(service: Service, connection: Connection, by: Acting, action: str, name: str, **detail: Any) -> None:
    event = Event(action, by.actor, f"user:{name}", address=by.address, detail=detail)
    service.audit.append(connection, event)


def canonical(name: str) -> str:
    """A user name as it is compared: composed alike, without spaces around, in small letters, fit for any database."""
    fit = name.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
    return unicodedata.normalize("NFKC", fit).strip().casefold()


def checked_name(name: str) -> str:
    """A name for a new user.

    Raises:
        BadUsage: When it makes no sense.
    """
    found = canonical(name)
    if not NAME.fullmatch(found):
        todo = "Begin with a letter or digit; go on with letters, digits and . @ _ -, 64 characters at most"
        raise BadUsage("this is no name for a user", given=name[:80], todo=todo)
    return found


def _checked_display(display: str) -> str:
    if len(display) > 256 or not display.isprintable():
        raise BadUsage("this is no name to show", given=display[:80], todo="Give 256 characters at most")
    return display


def by_name(connection: Connection, name: str) -> RowMapping | None:
    """The row of a user by name."""
    return connection.execute(select(users).where(users.c.name == canonical(name))).mappings().first()


def projects_of(connection: Connection, ids: Sequence[str]) -> dict[str, frozenset[str]]:
    """Projects of users."""
    found: dict[str, set[str]] = {}
    for user, project in connection.execute(
        select(memberships.c.user_id, memberships.c.project_id).where(memberships.c.user_id.in_(ids))
    ):
        found.setdefault(user, set()).add(project)
    return {user: frozenset(places) for user, places in found.items()}


def add_member(connection: Connection, user: str, project: str) -> bool:
    """Make a user a member of a project; False where that was so.

    Raises:
        Missing: When there is no such project.
    """
    if connection.execute(select(projects.c.id).where(projects.c.id == project)).first() is None:
        raise Missing("project", project)
    row = {"user_id": user, "project_id": project}
    if connection.execute(select(memberships).filter_by(**row)).first() is not None:
        return False
    connection.execute(insert(memberships).values(**row))
    return True


def _read(connection: Connection, user: str) -> User:
    row = connection.execute(select(users).where(users.c.id == user)).mappings().first()
    if row is None:
        raise Missing("user", user[:64])
    return _user(row, projects_of(connection, [user]).get(user, frozenset()))


def _user(row: RowMapping, places: frozenset[str]) -> User:
    keys = ("id", "name", "display", "role", "disabled", "must_change", "created")
    return User(**{key: row[key] for key in keys}, projects=places)


def _refuse_role(connection: Connection, old: User, role: str, by: Acting) -> None:
    if "service" in (old.role, role):
        raise Taken("a person does not become a service account, nor one a person", given=role, todo="Make a new user")
    _refuse_own(old, by, "change your own role")
    _refuse_last(connection, old)


def _refuse_own(old: User, by: Acting, what: str) -> None:
    if by.actor == f"user:{old.name}":
        raise Taken(f"you can't {what}", given=old.name, todo="Ask another administrator")


def _refuse_last(connection: Connection, old: User) -> None:
    if old.role != "administrator" or old.disabled:
        return
    # Locked, so that two administrators do not end each other at once.
    others = select(users.c.id).where(users.c.role == "administrator", users.c.disabled.is_(False)).with_for_update()
    if len(connection.execute(others).all()) < 2:
        raise Taken("this is the last administrator", given=old.name, todo="Make another one first")


def _name_taken(name: str) -> Taken:
    return Taken("somebody has this name, or had it", given=name, todo="Take another one")
