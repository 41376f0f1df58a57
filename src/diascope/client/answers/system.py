"""Answers of the service: system. Written by `diascope.testing.answers`, not by hand."""

from __future__ import annotations

from typing import Literal, TypedDict


class Reason(TypedDict):
    """Something that does not work."""

    part: str
    why: str
    stops: bool


class State(TypedDict):
    """How the service is."""

    version: str
    time: str
    state: Literal["ready", "degraded", "stopped"]
    reasons: list[Reason]
    weaknesses: list[str]
    database: Literal["sqlite", "postgresql"]
    free_bytes: int | None
    encrypted: bool
    jobs: dict[str, int]
    workers: list[str]
    peers: dict[str, bool]
    releases: dict[str, str]
