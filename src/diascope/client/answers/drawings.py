"""Answers of the service: drawings. Written by `diascope.testing.answers`, not by hand."""

from __future__ import annotations

from typing import Any, TypedDict


class Drawing(TypedDict):
    """A mask that a reader drew."""

    id: str
    study: str
    series: str
    revision: int
    shape: list[Any]
    labels: list[DrawnLabel]
    voxels: dict[str, int]
    by: str
    at: str


class DrawnLabel(TypedDict):
    """What a voxel value means."""

    value: int
    name: str
