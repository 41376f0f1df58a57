"""Answers of the service: jobs. Written by `diascope.testing.answers`, not by hand."""

from __future__ import annotations

from typing import Any, Literal, TypedDict


class Failure(TypedDict):
    """Why a job failed, or was put back."""

    wrong: str
    given: str | None
    todo: str


class Job(TypedDict):
    """A job."""

    id: str
    kind: str
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    project: str
    by: str
    attempts: int
    cancelling: bool
    progress: Progress | None
    payload: dict[str, Any]
    result: dict[str, Any] | None
    error: Failure | None
    ready: str
    created: str
    started: str | None
    ended: str | None


class Progress(TypedDict):
    """How far a job is."""

    done: int
    total: int
    note: str
