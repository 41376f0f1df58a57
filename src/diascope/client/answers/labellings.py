"""Answers of the service: labellings. Written by `diascope.testing.answers`, not by hand."""

from __future__ import annotations

from typing import Literal, TypedDict


class Agreement(TypedDict):
    """How well two readers agree."""

    pairs: int
    unsure: int
    differ: int
    left_out: int
    measures: list[Statistic]


class Fitting(TypedDict):
    """A series that a labelling asks about."""

    study: str
    series: str
    revision: int
    patient: str
    date: str
    modality: str
    description: str
    readers: int
    mine: bool
    unsure: bool | None
    two: bool


class Labelling(TypedDict):
    """What readers are asked."""

    id: str
    project: str
    name: str
    asks: Literal["classes", "masks", "boxes"]
    labels: list[str]
    exclusive: bool
    modality: str
    twice: float
    release: str
    by: str
    created: str
    closed: str | None


class LabellingWithProgress(TypedDict):
    """A labelling, and how far it is."""

    id: str
    project: str
    name: str
    asks: Literal["classes", "masks", "boxes"]
    labels: list[str]
    exclusive: bool
    modality: str
    twice: float
    release: str
    by: str
    created: str
    closed: str | None
    fit: int
    labelled: int
    done_twice: int
    wanted_twice: int
    wanted_done: int
    unsure: int
    readers: list[OfReader]


class OfReader(TypedDict):
    """What one reader did."""

    reader: str
    labelled: int
    unsure: int


class Statistic(TypedDict):
    """A measure of agreement."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    note: str
