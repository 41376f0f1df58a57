"""Answers of the service: uploads. Written by `diascope.testing.answers`, not by hand."""

from __future__ import annotations

from typing import TypedDict


class Upload(TypedDict):
    """A data set that somebody uploaded."""

    name: str
    project: str
    by: str
    created: str
    path: str
