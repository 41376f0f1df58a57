"""Answers of the service: frames. Written by `diascope.testing.answers`, not by hand."""

from __future__ import annotations

from typing import Any, TypedDict


class Frames(TypedDict):
    """The frames of a series, in order, and their grid."""

    study: str
    series: str
    revision: int
    part: int
    parts: list[Piece]
    modality: str
    unit: str
    count: int
    rows: int
    columns: int
    samples: int
    type: str
    affine: list[list[float]] | None
    why: str
    physical: bool
    spacing: list[Any] | None
    frame_of_reference: str | None
    windows: list[Window]
    range: list[Any]
    remarks: list[str]
    instances: list[Where]


class Piece(TypedDict):
    """Frames of one size that can be shown together."""

    part: int
    name: str
    count: int
    rows: int
    columns: int


class Where(TypedDict):
    """Where a frame comes from."""

    uid: str
    frame: int


class Window(TypedDict):
    """A display window: from `centre - width / 2` to `centre + width / 2`."""

    name: str
    centre: float
    width: float
