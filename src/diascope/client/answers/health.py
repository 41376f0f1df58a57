"""Answers of the service: health. Written by `diascope.testing.answers`, not by hand."""

from __future__ import annotations

from typing import Literal, TypedDict


class Alive(TypedDict):
    """The process answers."""

    alive: Literal[True]


class Ready(TypedDict):
    """Whether work may be sent."""

    ready: bool
    reasons: list[str]
