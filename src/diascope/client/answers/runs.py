"""Answers of the service: runs. Written by `diascope.testing.answers`, not by hand."""

from __future__ import annotations

from typing import Any, TypedDict


class Course(TypedDict):
    """How a training goes, while it goes on and afterwards."""

    run: str
    networks: int
    steps: int
    minutes: float | None
    members: list[Network]


class Log(TypedDict):
    """What a run has said."""

    items: list[dict[str, Any]]


class Network(TypedDict):
    """One network of a run."""

    name: str
    lines: list[dict[str, Any]]
