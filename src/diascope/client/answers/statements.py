"""Answers of the service: statements. Written by `diascope.testing.answers`, not by hand."""

from __future__ import annotations

from typing import Any, TypedDict


class Attribution(TypedDict):
    """What led to a finding."""

    finding: str
    passed: bool
    similarity: float | None
    limit: float
    parts: list[Part]


class Part(TypedDict):
    """A part of what was read."""

    value: float
    start: int | None
    stop: int | None
    name: str | None
    given: float | str | None
    unit: str | None


class Statement(TypedDict):
    """What a release says of a text or of laboratory results."""

    id: str
    study: str
    document: str | None
    release: str
    seal: str
    basis: str
    state: str
    reason: str
    findings: dict[str, Any]
    explainer: str
    attributions: list[Attribution]
    unexplained: str
    at: str
