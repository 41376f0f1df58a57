"""Logins: sessions that begin with a password, are rotated, and end.

A session's id has 256 random bits; the server keeps its SHA-256 only. A login and a new password give a new id, never
one that was sent (ASVS 7.2.4). It ends after `session_minutes` without a request, after `session_hours` in any case,
and at once when somebody logs out, changes the password or is disabled.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import Connection, RowMapping, Select, delete, insert, or_, select, update

from diascope.serve.access import limits
from diascope.serve.access.devices import Devices
from diascope.serve.access.matrix import Caller
from diascope.serve.access.passwords import PASSWORDS, Checked, WeakPassword, checked
from diascope.serve.access.refusals import Missing, NotLoggedIn, Taken, WrongLogin
from diascope.serve.access.users import HOST, by_name, canonical, create, projects_of, reset_password
from diascope.serve.audit import Event
from diascope.serve.database.tables import projects, sessions, users

if TYPE_CHECKING:
    from diascope.serve.service import Service

MOST_SESSIONS = 20
"""Of one user; the one that was used longest ago ends when there would be more."""

TOUCHED_EVERY = 60.0
"""Seconds: the last use of a session is written down no more often."""

FIRST = "administrator"
"""Name of the first user."""


@dataclass(frozen=True)
class Session:
    """A session that is alive.

    Args:
        caller: Whose.
        digest: Names it without opening it.
        csrf: SHA-256 of its CSRF token.
        created: Seconds since 1970.
        used: Seconds since 1970, to the minute.
        address: From which it was begun.
    """

    caller: Caller
    digest: str
    csrf: str = field(repr=False)
    created: float
    used: float
    address: str

    def is_csrf(self, token: str) -> bool:
        """Whether this is the session's CSRF token."""
        return hmac.compare_digest(_digest(token), self.csrf)


@dataclass(frozen=True)
class LoggedIn:
    """What a login gives; the secrets are nowhere else.

    Args:
        session: Id, for a cookie that scripts can't read.
        csrf: Token that every request that changes something must carry beside the cookie.
        device: For a cookie that stays when the session ends (`devices.GOOD_FOR`).
        caller: Who has logged in; `must_change` asks for a new password first.
        expires: When the session ends in any case, seconds since 1970.
    """

    session: str = field(repr=False)
    csrf: str = field(repr=False)
    device: str = field(repr=False)
    caller: Caller
    expires: float


def login(service: Service, name: str, password: str, address: str, *, device: str = "", old: str = "") -> LoggedIn:
    """Begin a session.

    Args:
        service: That is logged into.
        name: As it was typed.
        password: As it was typed.
        address: Where the request comes from.
        device: Cookie of an earlier login on this device.
        old: Session that was sent with the request; it ends.

    Raises:
        WrongLogin: When they do not belong together, or the account is closed.
        Throttled: When there were too many failures; says for how long.
    """
    row, now = _user(service, name), service.clock()
    number, tried = _enter(service, row, name, address, device)
    kept = row["password"] if row is not None and not row["disabled"] else None
    found = PASSWORDS.check(kept, password, now)
    if row is None or not found.right:
        _failed(service, row, address, "expired" if found.expired else "wrong")
        raise WrongLogin(found.expired)

    def work(connection: Connection) -> LoggedIn | None:
        stored = _renewed(connection, row["id"], row["password"], found)
        if stored is None:  # disabled, or given another password, while this one was checked
            return None
        limits.succeeded(connection, number, tried, now)
        connection.execute(delete(sessions).where(sessions.c.digest == _digest(old)))
        _drop_expired(connection, service)
        begun = _begin(service, connection, row, stored, address)
        detail = {"device": "known" if tried.device else "new"}
        service.audit.append(connection, Event("login", begun.caller.actor, address=address, detail=detail))
        return begun

    begun = service.database.change(work)
    if begun is None:
        _failed(service, row, address, "changed")
        raise WrongLogin
    return begun


def session(service: Service, cookie: str, address: str) -> Session | None:
    """The session of a cookie; None where it is unknown or over.

    Args:
        service: That is asked.
        cookie: Id of the session.
        address: Where the request comes from.
    """
    now = service.clock()
    with service.database.reading() as connection:
        query = _alive(service, now).where(sessions.c.digest == _digest(cookie))
        row = connection.execute(query).mappings().first()
        if row is None:
            return None
        found = _session(connection, row, address)
    if abs(now - found.used) >= TOUCHED_EVERY:
        touch = update(sessions).where(sessions.c.digest == found.digest).values(used=now)
        service.database.change(lambda connection: connection.execute(touch))
    return found


def listed(service: Service, caller: Caller) -> list[Session]:
    """The caller's sessions, the last used first."""
    with service.database.reading() as connection:
        query = _alive(service, service.clock()).where(sessions.c.user_id == caller.id).order_by(sessions.c.used.desc())
        rows = connection.execute(query).mappings().all()
        return [_session(connection, row, row["address"]) for row in rows]


def logout(service: Service, cookie: str, address: str) -> None:
    """End a session on the server, whatever the browser keeps.

    Raises:
        NotLoggedIn: When it is unknown or over.
    """
    found = session(service, cookie, address)
    if found is None:
        raise NotLoggedIn("this session is over")
    end(service, found.caller, found.digest)


def end(service: Service, caller: Caller, digest: str) -> None:
    """End one of the caller's sessions.

    Raises:
        Missing: When the caller has no such session.
    """

    def work(connection: Connection) -> None:
        mine = delete(sessions).where(sessions.c.digest == digest, sessions.c.user_id == caller.id)
        if not connection.execute(mine).rowcount:
            raise Missing("session", digest[:64])
        service.audit.append(connection, Event("logout", caller.actor, address=caller.address))

    service.database.change(work)


def logout_everywhere(service: Service, caller: Caller) -> int:
    """End all of the caller's sessions, this one too.

    Returns:
        How many there were.
    """

    def work(connection: Connection) -> int:
        ended = connection.execute(delete(sessions).where(sessions.c.user_id == caller.id)).rowcount
        detail = {"sessions": ended}
        service.audit.append(connection, Event("logout", caller.actor, address=caller.address, detail=detail))
        return ended

    return service.database.change(work)


def change_password(service: Service, cookie: str, old: str, new: str, address: str) -> LoggedIn:
    """Set a password of one's own: all sessions end, and a new one begins.

    Args:
        service: That is asked.
        cookie: Session of whoever asks.
        old: The password until now.
        new: The password from now on.
        address: Where the request comes from.

    Raises:
        NotLoggedIn: When the session is over.
        WrongLogin: When the old password is wrong.
        WeakPassword: When the new one is not good enough, or is the old one.
        Throttled: When there were too many failures.
    """
    asking = session(service, cookie, address)
    if asking is None:
        raise NotLoggedIn("this session is over", todo="Log in again")
    name, now = asking.caller.name, service.clock()
    row = _user(service, name)
    number, tried = _enter(service, row, name, address, "")
    found = PASSWORDS.check(row["password"] if row is not None else None, old, now)
    if row is None or not found.right:
        _failed(service, row, address, "wrong")
        raise WrongLogin
    if checked(new, name) == old:
        raise WeakPassword("the new password is the old one", todo="Take another one")
    stored = PASSWORDS.stored(new)

    def work(connection: Connection) -> LoggedIn:
        if _renewed(connection, row["id"], row["password"], Checked(True, renewed=stored)) is None:
            raise WrongLogin
        connection.execute(update(users).where(users.c.id == row["id"]).values(must_change=False))
        limits.succeeded(connection, number, tried, now)
        connection.execute(delete(sessions).where(sessions.c.user_id == row["id"]))
        begun = _begin(service, connection, {**row, "must_change": False}, stored, address)
        service.audit.append(connection, Event("password.changed", begun.caller.actor, address=address))
        return begun

    return service.database.change(work)


def first_administrator(service: Service) -> str | None:
    """The first administrator's one-time password, anew at every start until somebody has set another one.

    Returns:
        None where there is somebody with a password of their own.
    """
    with service.database.reading() as connection:
        rows = connection.execute(select(users).limit(2)).mappings().all()
        home = connection.execute(select(projects.c.id).order_by(projects.c.created).limit(1)).scalars().all()
    if not rows:
        try:
            return create(service, FIRST, "administrator", HOST, projects=home)[1]
        except Taken:  # another process was first, and says it
            return None
    if len(rows) == 1 and rows[0]["name"] == FIRST and rows[0]["must_change"]:
        return reset_password(service, rows[0]["id"], HOST)
    return None


def drop_expired(service: Service) -> int:
    """Remove sessions that are over.

    Returns:
        How many there were.
    """
    return service.database.change(lambda connection: _drop_expired(connection, service))


def csrf_of(cookie: str) -> str:
    """The CSRF token of a session: made from its id, so that pages can show it without its being kept."""
    return hmac.new(cookie.encode(), b"diascope csrf", hashlib.sha256).hexdigest()


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _user(service: Service, name: str) -> RowMapping | None:
    with service.database.reading() as connection:
        return by_name(connection, name)


def _enter(service: Service, row: RowMapping | None, name: str, address: str, device: str) -> tuple[int, limits.Try]:
    """Write a try down before the password is looked at."""
    known = ""
    if row is not None and device and row["password"]:
        devices = Devices(service.keys.derived("devices"))
        known = devices.known(device, row["id"], row["password"], service.clock())
    user = "" if row is None else f"user:{row['name']}"
    tried = limits.Try(limits.account_of(canonical(name)), limits.place(address), known, user)
    return limits.enter(service, tried), tried


def _failed(service: Service, row: RowMapping | None, address: str, reason: str) -> None:
    """Tell of a failed login. What was typed as a name is not told: it may be a password."""
    actor = "unknown" if row is None else f"user:{row['name']}"
    reason = "disabled" if row is not None and row["disabled"] else reason
    service.audit.tell(Event("login.failed", actor, outcome="failure", address=address, detail={"reason": reason}))


def _renewed(connection: Connection, user: str, before: str, found: Checked) -> str | None:
    """What is kept of the password, made anew where it should be; None where it is no longer what was checked."""
    mine = users.c.id == user
    same = update(users).where(mine, users.c.password == before, users.c.disabled.is_(False))
    stored = found.renewed or before
    return stored if connection.execute(same.values(password=stored)).rowcount else None


def _begin(
    service: Service, connection: Connection, user: RowMapping | dict[str, object], stored: str, address: str
) -> LoggedIn:
    """A new session, in the caller's transaction."""
    cookie, now, owner = secrets.token_urlsafe(32), service.clock(), str(user["id"])
    csrf = csrf_of(cookie)
    mine = select(sessions.c.digest).where(sessions.c.user_id == owner).order_by(sessions.c.used.desc())
    ended = connection.execute(mine.offset(MOST_SESSIONS - 1)).scalars().all()
    connection.execute(delete(sessions).where(sessions.c.digest.in_(ended)))
    row = {"digest": _digest(cookie), "user_id": owner, "csrf": _digest(csrf), "address": address[:64]}
    connection.execute(insert(sessions).values(**row, created=now, used=now))
    caller = Caller(
        id=owner,
        name=str(user["name"]),
        role=str(user["role"]),
        projects=projects_of(connection, [owner]).get(owner, frozenset()),
        must_change=bool(user["must_change"]),
        address=address,
    )
    device = Devices(service.keys.derived("devices")).cookie(owner, stored, now)
    return LoggedIn(cookie, csrf, device, caller, now + service.settings.session_hours * 3600)


def _alive(service: Service, now: float) -> Select[tuple[object, ...]]:
    """Sessions that are not over, with their users."""
    columns = [users.c.id, users.c.name, users.c.role, users.c.must_change]
    query = select(sessions, *columns).join(users, users.c.id == sessions.c.user_id)
    return query.where(
        sessions.c.used > now - service.settings.session_minutes * 60,
        sessions.c.created > now - service.settings.session_hours * 3600,
        users.c.disabled.is_(False),
    )


def _session(connection: Connection, row: RowMapping, address: str) -> Session:
    user = row["id"]
    places = projects_of(connection, [user]).get(user, frozenset())
    caller = Caller(user, row["name"], row["role"], places, must_change=row["must_change"], address=address)
    return Session(caller, row["digest"], row["csrf"], row["created"], row["used"], row["address"])


def _drop_expired(connection: Connection, service: Service) -> int:
    now = service.clock()
    idle = sessions.c.used <= now - service.settings.session_minutes * 60
    old = sessions.c.created <= now - service.settings.session_hours * 3600
    return connection.execute(delete(sessions).where(or_(idle, old))).rowcount
