"""Answers of the service: observations. Written by `diascope.testing.answers`, not by hand."""

from __future__ import annotations

from typing import TypedDict


class Brought(TypedDict):
    """What came of it."""

    added: list[Observation]
    again: int
    left: list[Left]


class Left(TypedDict):
    """Something of a FHIR resource that was not kept."""

    entry: str
    what: str
    why: str


class Observation(TypedDict):
    """A result as it is kept."""

    id: str
    name: str
    code: str
    value: float | None
    said: str
    unit: str
    low: float | None
    high: float | None
    taken: str | None
    by: str
    at: str
