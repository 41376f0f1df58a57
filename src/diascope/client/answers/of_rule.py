"""Answers of the service: of rule. Written by `diascope.testing.answers`, not by hand."""

from __future__ import annotations

from typing import Literal, TypedDict


class Rule(TypedDict):
    """Which series a release reads, and where its results go."""

    name: str
    enabled: bool
    when: When
    release: str
    send: list[Send]


class Send(TypedDict):
    """Where results go."""

    peer: str
    kinds: list[Literal["seg", "sr", "sc", "pdf", "oru", "fhir", "webhook", "report"]]


class When(TypedDict):
    """What a series must be; what is not given is not asked. Words are compared without regard to capitals."""

    modality: list[str]
    body_part: list[str]
    contains: list[str]
    contains_not: list[str]
    matches: list[str]
    thinnest: float | None
    thickest: float | None
    fewest: int | None
    most: int | None
    sop_class: list[str]
    peer: list[str]
    image_type: list[str]
    image_type_not: list[str]
    project: list[str]
    manufacturer: list[str]
