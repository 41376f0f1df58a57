"""Answers of the service: openings. Written by `diascope.testing.answers`, not by hand."""

from __future__ import annotations

from typing import TypedDict


class Opening(TypedDict):
    """A reader opened a study."""

    id: int
    study: str
    reader: str
    still: bool
    at: str
