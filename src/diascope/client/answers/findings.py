"""Answers of the service: findings. Written by `diascope.testing.answers`, not by hand."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from diascope.client.answers.jobs import Job


class Delivery(TypedDict):
    """What was sent where."""

    kind: str
    peer: str
    state: Literal["unsigned", "waiting", "sent", "failed"]
    reason: str
    at: str


class Result(TypedDict):
    """What a release said about a series at one revision."""

    id: str
    project: str
    study: str
    series: str
    revision: int
    release: str
    seal: str
    rule: str
    state: Literal["answered", "unavailable"]
    reason: str
    completed: str
    answered: str
    superseded: str | None


class Sent(TypedDict):
    """What was put on its way."""

    jobs: list[Job]


class Whole(TypedDict):
    """A result with everything about it."""

    id: str
    project: str
    study: str
    series: str
    revision: int
    release: str
    seal: str
    rule: str
    state: Literal["answered", "unavailable"]
    reason: str
    completed: str
    answered: str
    superseded: str | None
    findings: dict[str, Any]
    objects: list[Written]
    deliveries: list[Delivery]
    others: list[Result]


class Written(TypedDict):
    """An object that was written of a result; it lies in the archive as any other."""

    kind: str
    instance: str
