"""Answers of the service: masks. Written by `diascope.testing.answers`, not by hand."""

from __future__ import annotations

from typing import Any, Literal, TypedDict


class Mask(TypedDict):
    """A mask on the grid of the frames of its series."""

    shape: list[Any]
    labels: list[MaskLabel]
    source: Literal["release", "reader"]
    drawing: str | None
    by: str
    at: str
    remarks: list[str]


class MaskLabel(TypedDict):
    """What a voxel value means."""

    value: int
    name: str
    code: str
    within: list[int]
