"""Answers of the service: predictions. Written by `diascope.testing.answers`, not by hand."""

from __future__ import annotations

from typing import TypedDict

from diascope.client.answers.jobs import Job


class Predictions(TypedDict):
    """What was put on its way."""

    jobs: list[Job]
    results: list[str]
