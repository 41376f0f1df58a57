"""Errors where a person looks: a page in place of the API's envelope, and the login where nobody is logged in."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import Response

from diascope.core.errors import DiascopeError
from diascope.reports.markup import Child, Markup, tag
from diascope.serve.access.logins import csrf_of
from diascope.serve.access.matrix import Forbidden
from diascope.serve.access.refusals import NotLoggedIn
from diascope.serve.http.asking import caller_of, cookie_of
from diascope.serve.http.errors import status_of, told
from diascope.serve.room.page import Page, answer
from diascope.serve.room.visiting import PAGE, look_of
from diascope.serve.room.words import Words


def install(app: FastAPI) -> None:
    """Give an application its answers to errors; those of the API stay as they are."""
    app.add_exception_handler(DiascopeError, _known)


async def _known(request: Request, error: Exception) -> Response:
    assert isinstance(error, DiascopeError)
    route = request.scope.get("route")
    extra = getattr(route, "openapi_extra", None) or {}
    if not extra.get(PAGE):
        return told(error)
    status, _ = status_of(error)
    look = look_of(request)
    if isinstance(error, NotLoggedIn):
        return answer(look, Page(look.words("login.title"), login(look.words), "login", kind="narrow"), status)
    if isinstance(error, Forbidden) and _must_change(request):
        session = {"csrf": csrf_of(cookie_of(request))}
        page = Page(look.words("password.first"), password(look.words), "login", session, kind="narrow")
        return answer(look, page, status)
    return answer(look, Page(look.words("refused.title"), refused(look.words, error), kind="narrow"), status)


def _must_change(request: Request) -> bool:
    try:
        caller = caller_of(request)
    except DiascopeError:
        return False
    return caller is not None and caller.must_change


def login(words: Words) -> Markup:
    """The form that begins a session."""
    return tag(
        "section",
        tag("h1", words("login.title")),
        tag("p", words("login.lead"), class_="lead"),
        tag(
            "form",
            _field("name", words("login.name"), "text", "username"),
            _field("password", words("login.password"), "password", "current-password"),
            tag("p", id="wrong", role="alert", class_="wrong"),
            tag("button", words("login.do"), type="submit", class_="main"),
            id="login",
        ),
    )


def password(words: Words) -> Markup:
    """The form for a new password, where nothing else may be done before."""
    return tag(
        "section",
        tag("h1", words("password.first")),
        tag("p", words("password.lead"), class_="lead"),
        password_form(words),
    )


def password_form(words: Words) -> Markup:
    """Old and new password."""
    return tag(
        "form",
        _field("old", words("password.old"), "password", "current-password"),
        _field("new", words("password.new"), "password", "new-password"),
        tag("p", id="wrong", role="alert", class_="wrong"),
        tag("button", words("password.do"), type="submit", class_="main"),
        id="password",
    )


def refused(words: Words, error: DiascopeError) -> Markup:
    """What was wrong, what was given, what to do."""
    given: Child = tag("p", tag("code", str(error.given)[:500])) if error.given is not None else None
    return tag(
        "section",
        tag("h1", words("refused.title")),
        tag("p", words.phrase(error.wrong), class_="lead"),
        given,
        tag("p", words.phrase(error.todo)) if error.todo else None,
        tag("p", tag("a", words("refused.back"), href="/")),
    )


def _field(name: str, label: str, kind: str, fills: str) -> Markup:
    entry = tag("input", id=name, name=name, type=kind, autocomplete=fills, required=True)
    return tag("p", tag("label", label, for_=name), entry, class_="field")
