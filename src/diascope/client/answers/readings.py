"""Answers of the service: readings. Written by `diascope.testing.answers`, not by hand."""

from __future__ import annotations

from typing import Any, Literal, TypedDict


class Reading(TypedDict):
    """What a reader decided."""

    id: str
    result: str
    project: str
    study: str
    release: str
    reader: str
    verdict: Literal["accept", "reject", "amend", "unsure"]
    reason: str
    shown: dict[str, Any]
    amended: dict[str, Any] | None
    added: list[dict[str, Any]]
    comment: str
    seconds: float | None
    at: str
