"""Answers of the service: runs. Written by `diascope.testing.answers`, not by hand."""

from __future__ import annotations

from typing import Any, TypedDict


class Log(TypedDict):
    """What a run has said."""

    items: list[dict[str, Any]]
