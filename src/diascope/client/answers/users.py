"""Answers of the service: users. Written by `diascope.testing.answers`, not by hand."""

from __future__ import annotations

from typing import Literal, TypedDict


class Made(TypedDict):
    """A user that was just made."""

    user: User
    password: str | None


class Password(TypedDict):
    """A password for one use."""

    password: str


class User(TypedDict):
    """A user."""

    id: str
    name: str
    display: str
    role: Literal["reader", "researcher", "steward", "administrator", "service"]
    disabled: bool
    must_change: bool
    created: str
    projects: list[str]
