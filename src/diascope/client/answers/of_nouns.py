"""Answers of the service: of nouns. Written by `diascope.testing.answers`, not by hand."""

from __future__ import annotations

from typing import Any, TypedDict


class Owned(TypedDict):
    """Something of the workspace."""

    name: str
    project: str
    by: str
    created: str


class WithRecord(TypedDict):
    """The same, with what is written in it."""

    name: str
    project: str
    by: str
    created: str
    record: dict[str, Any]
