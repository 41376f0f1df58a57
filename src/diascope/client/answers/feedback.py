"""Answers of the service: feedback. Written by `diascope.testing.answers`, not by hand."""

from __future__ import annotations

from typing import Any, TypedDict


class Feedback(TypedDict):
    """A label change."""

    id: str
    reading: str
    result: str
    project: str
    study: str
    release: str
    verdict: str
    labels: dict[str, Any]
    author: str
    at: str
