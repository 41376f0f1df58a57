"""Answers of the service: session. Written by `diascope.testing.answers`, not by hand."""

from __future__ import annotations

from typing import TypedDict


class Begun(TypedDict):
    """A session; its id is in a cookie that scripts can't read."""

    csrf: str
    name: str
    role: str
    must_change: bool
    expires: str


class CurrentSession(TypedDict):
    """The session of this request."""

    csrf: str
    begun: str | None
