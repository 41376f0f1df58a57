"""Answers of the service: audit. Written by `diascope.testing.answers`, not by hand."""

from __future__ import annotations

from typing import Any, TypedDict


class Record(TypedDict):
    """A record of the trail."""

    sequence: int
    at: str
    actor: str
    action: str
    outcome: str
    object: str
    project: str
    address: str
    detail: dict[str, Any]
    digest: str


class Verified(TypedDict):
    """What a verification found."""

    sound: bool
    records: int
    first_bad: int | None
    reason: str
    head: str
