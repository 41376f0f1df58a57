"""Answers of the service: explanations. Written by `diascope.testing.answers`, not by hand."""

from __future__ import annotations

from typing import Any, TypedDict

from diascope.client.answers.jobs import Job


class Explainer(TypedDict):
    """A way to explain."""

    name: str
    title: str


class Explanation(TypedDict):
    """A map of what led to a finding."""

    id: str
    finding: str
    explainer: str
    title: str
    sanity: Sanity
    shape: list[Any]
    revision: int
    at: str


class Explanations(TypedDict):
    """What there is of a result, and what can be asked for."""

    items: list[Explanation]
    jobs: list[Job]
    explainers: list[Explainer]
    why: str
    words: dict[str, str]
    refusals: dict[str, dict[str, str]]


class Sanity(TypedDict):
    """Whether the map depends on what was learnt (Adebayo 2018)."""

    passed: bool
    similarity: float | None
    limit: float
    words: dict[str, str]
