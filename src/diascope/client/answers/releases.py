"""Answers of the service: releases. Written by `diascope.testing.answers`, not by hand."""

from __future__ import annotations

from typing import Any, Literal, TypedDict


class Plugins(TypedDict):
    """What the program knows."""

    families: dict[str, list[str]]
    sets: list[str]


class Release(TypedDict):
    """A release."""

    name: str
    task: str
    created: str
    signed_by: str | None
    signed_at: str | None
    seal: str
    licence: str
    state: Literal["candidate", "in service", "withdrawn", "unreadable"]
    reason: str
    by: str
    at: str | None


class WholeRelease(TypedDict):
    """A release with its evidence."""

    name: str
    task: str
    created: str
    signed_by: str | None
    signed_at: str | None
    seal: str
    licence: str
    state: Literal["candidate", "in service", "withdrawn", "unreadable"]
    reason: str
    by: str
    at: str | None
    record: dict[str, Any]
    evaluation: dict[str, Any]
