"""Answers of the service: similar. Written by `diascope.testing.answers`, not by hand."""

from __future__ import annotations

from typing import TypedDict


class Case(TypedDict):
    """An earlier case."""

    result: str
    similarity: float
    project: str
    study: str
    series: str
    patient: str
    same_patient: bool
    date: str
    answered: str
    said: list[SaidThen]
    verdict: str | None
    reason: str
    thumbnail: str


class SaidThen(TypedDict):
    """What a release said of a case."""

    finding: str
    status: str
    probability: float | None


class Similar(TypedDict):
    """Earlier cases of the same release."""

    items: list[Case]
    why: str
    words: dict[str, str]
