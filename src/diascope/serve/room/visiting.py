"""Somebody looks at a page: who, in which language, and with which theme."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import Depends, Request

from diascope.serve.access import logins
from diascope.serve.http.asking import OPERATION, Asked, asked, cookie_of
from diascope.serve.room.words import Words, language_of, words

THEME = "diascope-theme"
PAGE = "x-page"
"""Marks the routes that are pages: their refusals are pages too."""


@dataclass(frozen=True)
class Look:
    """How a page is shown.

    Args:
        words: In the visitor's language.
        theme: Dark unless light was chosen.
    """

    words: Words
    theme: Literal["dark", "light"]


@dataclass(frozen=True)
class Visit:
    """A page that somebody may see.

    Args:
        asked: Who, and for what.
        look: How it is shown.
        csrf: What the page's scripts send with every request that changes something.
        path: Of the page.
    """

    asked: Asked
    look: Look
    csrf: str
    path: str

    @property
    def words(self) -> Words:
        """In the visitor's language."""
        return self.look.words


def page_of(name: str) -> dict[str, Any]:
    """What a route of a page says: `**page_of("studies.list")`."""
    return {"include_in_schema": False, "openapi_extra": {OPERATION: name, PAGE: True}}


def look_of(request: Request) -> Look:
    """How a visitor wants pages to look."""
    return Look(words(language_of(request)), "light" if request.cookies.get(THEME) == "light" else "dark")


def visit(request: Request) -> Visit:
    """The visit of a route that names its operation; raises as `asking.asked`."""
    found, cookie = asked(request), cookie_of(request)
    csrf = logins.csrf_of(cookie) if cookie and found.caller.scopes is None else ""
    return Visit(found, look_of(request), csrf, request.url.path)


Visitor = Annotated[Visit, Depends(visit)]
"""The parameter of every page that is not for anyone."""
