"""Answers of the service: signals. Written by `diascope.testing.answers`, not by hand."""

from __future__ import annotations

from typing import TypedDict


class Filters(TypedDict):
    """What the device filtered away, Hz; null where the file does not say."""

    low: float | None
    high: float | None
    notch: float | None


class Lead(TypedDict):
    """One channel."""

    name: str
    unit: str
    filters: Filters


class Leads(TypedDict):
    """Channels that were sampled together."""

    number: int
    instance: str
    label: str
    original: bool
    rate: float
    samples: int
    start: float
    leads: list[Lead]


class Signal(TypedDict):
    """The recordings of a series."""

    study: str
    series: str
    revision: int
    groups: list[Leads]
