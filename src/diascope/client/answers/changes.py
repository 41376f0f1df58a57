"""Answers of the service: changes. Written by `diascope.testing.answers`, not by hand."""

from __future__ import annotations

from typing import TypedDict


class Change(TypedDict):
    """Something that happened."""

    id: int
    kind: str
    study: str
    series: str
    instance: str
    at: str
