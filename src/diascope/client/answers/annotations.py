"""Answers of the service: annotations. Written by `diascope.testing.answers`, not by hand."""

from __future__ import annotations

from typing import Any, Literal, TypedDict


class Annotation(TypedDict):
    """What a reader answered."""

    id: str
    labelling: str
    study: str
    series: str
    revision: int
    reader: str
    answer: dict[str, Any] | None
    unsure: bool | None
    comment: str
    seconds: float | None
    at: str


class Next(TypedDict):
    """What a reader is asked about."""

    study: str | None
    series: str | None
    revision: int | None
    patient: str | None
    why: Why | None
    since: str | None
    mine: dict[str, Any] | None
    waiting: int


class Why(TypedDict):
    """Why a series is asked about."""

    kind: Literal["second", "unsure", "unlike", "first", "unknown", "chosen"]
    uncertainty: float | None
    diversity: float | None
