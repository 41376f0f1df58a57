"""Answers of the service: me. Written by `diascope.testing.answers`, not by hand."""

from __future__ import annotations

from typing import TypedDict


class Account(TypedDict):
    """Whoever asks."""

    id: str
    name: str
    display: str
    role: str
    projects: list[str]
    scopes: list[str] | None
    must_change: bool


class Issued(TypedDict):
    """A token that was just made."""

    token: Token
    secret: str


class Right(TypedDict):
    """Whether something may be done, and why."""

    operation: str
    what: str
    project: str | None
    allowed: bool
    why: str
    roles: list[str]


class Rights(TypedDict):
    """Rights of whoever asks."""

    items: list[Right]


class Session(TypedDict):
    """A session that is alive."""

    id: str
    begun: str
    used: str
    address: str
    this: bool


class Sessions(TypedDict):
    """One's own sessions."""

    items: list[Session]


class Token(TypedDict):
    """A token, without its secret."""

    id: str
    owner: str
    name: str
    scopes: list[str]
    created: str
    expires: str
    revoked: str | None
    used: str | None
