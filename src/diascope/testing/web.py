"""The web application of a service, and people who use it, for tests: no port, no sleeping."""

from __future__ import annotations

import asyncio
import atexit
import hashlib
import secrets
from collections.abc import Coroutine, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy import insert

from diascope.serve.access import tokens
from diascope.serve.access.logins import csrf_of
from diascope.serve.access.matrix import Caller
from diascope.serve.access.operations import OPERATIONS, SESSION_ONLY
from diascope.serve.access.passwords import PASSWORDS
from diascope.serve.database.tables import memberships, projects, sessions, users
from diascope.serve.http.app import application
from diascope.serve.http.asking import COOKIE, CSRF
from diascope.serve.http.routing import routers
from diascope.serve.service import FIRST_PROJECT, Service
from diascope.testing.service import Clock, a_service

PASSWORD = "brass-lantern-orbit-79"
"""Of everybody."""
OWN, OTHER = FIRST_PROJECT, "other"
"""Ids of the two projects of a site; people are members of the first."""
ORIGIN = "http://diascope.test"


@cache
def _runner() -> asyncio.Runner:
    found = asyncio.Runner()
    atexit.register(found.close)
    return found


def _ran(work: Coroutine[Any, Any, list[httpx.Response]]) -> list[httpx.Response]:
    """Run it to its end; where this thread has a loop already (Playwright's), in another one."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _runner().run(work)
    with ThreadPoolExecutor(1) as aside:
        return aside.submit(asyncio.run, work).result()


@cache
def _stored() -> str:
    return PASSWORDS.stored(PASSWORD)


@dataclass
class Browser:
    """Somebody who sends requests.

    Args:
        app: That is asked.
        headers: Of each request.
        cookies: As a browser keeps them.
        address: Where requests come from.
        user: Id; empty where nobody is logged in.
    """

    app: FastAPI
    headers: dict[str, str] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)
    address: str = "192.0.2.7"
    user: str = ""

    def send(self, method: str, path: str, **more: Any) -> httpx.Response:
        """One request; cookies that the answer sets are kept."""
        return self.together([(method, path, more)])[0]

    def together(self, requests: Sequence[tuple[str, str, dict[str, Any]]]) -> list[httpx.Response]:
        """Several at the same time."""
        return _ran(self._all(requests))

    async def _all(self, requests: Iterable[tuple[str, str, dict[str, Any]]]) -> list[httpx.Response]:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False, client=(self.address, 40000))
        async with httpx.AsyncClient(
            transport=transport, base_url=ORIGIN, cookies=dict(self.cookies), trust_env=False
        ) as client:

            async def one(method: str, path: str, more: dict[str, Any]) -> httpx.Response:
                headers = {**self.headers, **more.pop("headers", {})}
                path = path if path.startswith(("/health", "/metrics", "/dicom", "/api", "http")) else f"/api/v1{path}"
                return await client.request(method, path, headers=headers, **more)

            found = list(await asyncio.gather(*(one(*each) for each in requests)))
            self.cookies = {cookie.name: cookie.value or "" for cookie in client.cookies.jar}
        return found

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.send("GET", path, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        return self.send("POST", path, **more)


@dataclass
class Site:
    """A service with its application.

    Args:
        service: Opened.
        app: Its application.
        kept: UIDs of an object of each project that is only read.
    """

    service: Service
    app: FastAPI
    kept: dict[str, tuple[str, str, str]] = field(default_factory=dict)

    @property
    def clock(self) -> Clock:
        """Time, which only the test moves."""
        found = self.service.clock
        assert isinstance(found, Clock)
        return found

    def user(self, role: str, name: str = "", places: Sequence[str] = (OWN,), **more: Any) -> str:
        """A user with `PASSWORD`; returns the id."""
        made = secrets.token_hex(16)
        row = {"id": made, "name": name or f"{role}-{made[:8]}", "display": "", "role": role, "must_change": False}
        row |= {"disabled": False, "created": self.service.clock(), **more}
        row["password"] = None if role == "service" else _stored()

        def work(connection: Any) -> None:
            connection.execute(insert(users).values(**row))
            for place in places:
                connection.execute(insert(memberships).values(user_id=made, project_id=place))

        self.service.database.change(work)
        return made

    def nobody(self, address: str = "192.0.2.7") -> Browser:
        """Somebody who has not logged in."""
        return Browser(self.app, address=address)

    def someone(self, role: str, places: Sequence[str] = (OWN,), **more: Any) -> Browser:
        """Somebody with a session; a program with a token that holds all that its role may do."""
        user = self.user(role, places=places, **more)
        return self.with_token(user, role) if role == "service" else self.with_session(user)

    def with_session(self, user: str, address: str = "192.0.2.7") -> Browser:
        """Somebody who has logged in: without the work of hashing a password."""
        cookie, now = secrets.token_urlsafe(32), self.service.clock()
        row = {"digest": _digest(cookie), "user_id": user, "csrf": _digest(csrf_of(cookie)), "address": address}
        self.service.database.change(
            lambda connection: connection.execute(insert(sessions).values(**row, created=now, used=now))
        )
        return Browser(self.app, {CSRF: csrf_of(cookie)}, {COOKIE: cookie}, address, user)

    def with_token(self, user: str, role: str, scopes: Sequence[str] = (), days: int = 1) -> Browser:
        """Somebody with a token; without scopes it holds all that the role may do by token."""
        by = Caller(user, f"{role}-token", role)
        may = [one.name for one in OPERATIONS.values() if one.answers[role] != "-" and one.name not in SESSION_ONLY]
        _, secret = tokens.issue(self.service, by, "test", scopes or may, days)
        return Browser(self.app, {"Authorization": f"Bearer {secret}"}, user=user)


def a_site(folder: Path, **settings: Any) -> Site:
    """A service with two projects, and its application.

    Args:
        folder: Of the workspace; made where it does not exist.
        **settings: Fields of `Settings`.
    """
    data = str(folder / "data")
    sources: dict[str, Any] = {f"data-of-{one}": {"folder": data, "projects": [one]} for one in (OWN, OTHER)}
    sources["data"] = {"folder": data}
    service = a_service(folder, **{"sources": sources, **settings})
    row = {"id": OTHER, "name": OTHER, "created": service.clock()}
    service.database.change(lambda connection: connection.execute(insert(projects).values(**row)))
    return Site(service, application(service, routers()))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
