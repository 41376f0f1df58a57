"""Answers of the service: studies. Written by `diascope.testing.answers`, not by hand."""

from __future__ import annotations

from typing import TypedDict


class Found(TypedDict):
    """Studies of people who were searched for."""

    items: list[Study]
    more: bool


class Identity(TypedDict):
    """Whose a study is, as it arrived."""

    name: str
    number: str
    issuer: str
    birth_date: str
    sex: str
    accession: str


class Series(TypedDict):
    """A series."""

    uid: str
    modality: str
    body_part: str
    description: str
    number: int | None
    made: bool
    instances: int
    arrived: str
    completed: str | None
    revision: int


class Study(TypedDict):
    """A study by pseudonym."""

    uid: str
    project: str
    patient: str
    date: str
    time: str
    description: str
    modalities: list[str]
    series: int
    instances: int
    results: int
    readings: int
    created: str
    changed: str
    identity: Identity | None


class StudyWithSeries(TypedDict):
    """A study with its series and what was said about them."""

    uid: str
    project: str
    patient: str
    date: str
    time: str
    description: str
    modalities: list[str]
    series: int
    instances: int
    results: int
    readings: int
    created: str
    changed: str
    identity: Identity | None
    all_series: list[Series]
    all_results: list[Verdict]


class Verdict(TypedDict):
    """Where a result stands."""

    id: str
    series: str
    revision: int
    release: str
    state: str
    reason: str
    answered: str
    superseded: str | None
    verdict: str | None
