"""Answers of the service: datasets. Written by `diascope.testing.answers`, not by hand."""

from __future__ import annotations

from typing import Any, TypedDict


class Dataset(TypedDict):
    """A data set."""

    name: str
    project: str
    by: str
    created: str
    cases: int
    patients: int
    parts: dict[str, int]
    record: dict[str, Any]
    fingerprint: dict[str, Any]


class Sources(TypedDict):
    """Folders of data."""

    items: list[str]
