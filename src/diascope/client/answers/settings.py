"""Answers of the service: settings. Written by `diascope.testing.answers`, not by hand."""

from __future__ import annotations

from typing import Any, TypedDict


class Shown(TypedDict):
    """The settings."""

    settings: dict[str, Any]
