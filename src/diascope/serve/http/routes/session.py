"""The session: begun with a name and a password, ended for good."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Cookie, Request, Response
from pydantic import Field

from diascope.serve.access import logins
from diascope.serve.access.devices import GOOD_FOR
from diascope.serve.access.logins import LoggedIn
from diascope.serve.http.asking import (
    Who,
    address_of,
    cookie_name,
    cookie_of,
    of_our_own_page,
    operation,
    service_of,
    session_of,
)
from diascope.serve.http.fields import Answer, Body, Time, utc

router = APIRouter(tags=["session"])

DEVICE = "diascope-device"


class Login(Body):
    """Who logs in."""

    name: Annotated[str, Field(min_length=1, max_length=256)]
    """As the administrator gave it."""
    password: Annotated[str, Field(min_length=1, max_length=1024)]
    """It is never logged."""


class Begun(Answer):
    """A session; its id is in a cookie that scripts can't read."""

    csrf: str
    """Send it as `X-CSRF-Token` with every request that changes something."""
    name: str
    """Of the user."""
    role: str
    """Of the user."""
    must_change: bool
    """Whether a new password must be set before anything else (`PUT /me/password`)."""
    expires: Time
    """When it ends, however much it is used."""


class CurrentSession(Answer):
    """The session of this request."""

    csrf: str
    """Send it as `X-CSRF-Token` with every request that changes something; empty with a token, which needs none."""
    begun: Time | None
    """When somebody logged in; null with a token, which is no session."""


@router.post("/session", status_code=201, openapi_extra=operation("session.login"))
def log_in(
    request: Request, response: Response, body: Login, device: Annotated[str | None, Cookie(alias=DEVICE)] = None
) -> Begun:
    """Log in with a name and a password."""
    of_our_own_page(request)
    found = logins.login(
        service_of(request),
        body.name,
        body.password,
        address_of(request),
        device=(device or "")[:512],
        old=cookie_of(request),
    )
    return begun(request, response, found)


@router.get("/session", openapi_extra=operation("me.read"))
def read_session(request: Request, asked: Who) -> CurrentSession:
    """The session of this request, for a page that was loaded anew."""
    if asked.caller.scopes is not None:
        return CurrentSession(csrf="", begun=None)
    found = session_of(request)
    return CurrentSession(csrf=logins.csrf_of(cookie_of(request)), begun=utc(found.created))


@router.delete("/session", status_code=204, openapi_extra=operation("me.logout"))
def log_out(request: Request, response: Response, asked: Who) -> None:
    """End the session on the server."""
    logins.logout(asked.service, cookie_of(request), address_of(request))
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    response.delete_cookie(cookie_name(request), path="/", secure=_secure(request), httponly=True, samesite="strict")


def begun(request: Request, response: Response, found: LoggedIn) -> Begun:
    """Set the cookies of a session that has just begun."""
    secure = _secure(request)
    response.set_cookie(cookie_name(request), found.session, path="/", secure=secure, httponly=True, samesite="strict")
    path = request.url.path.rpartition("/api/")[0] + "/api/"
    response.set_cookie(
        DEVICE, found.device, max_age=int(GOOD_FOR), path=path, secure=secure, httponly=True, samesite="strict"
    )
    caller = found.caller
    return Begun(
        csrf=found.csrf, name=caller.name, role=caller.role, must_change=caller.must_change, expires=utc(found.expires)
    )


def _secure(request: Request) -> bool:
    return request.url.scheme == "https"
