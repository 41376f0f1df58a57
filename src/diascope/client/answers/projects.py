"""Answers of the service: projects. Written by `diascope.testing.answers`, not by hand."""

from __future__ import annotations

from typing import TypedDict


class Project(TypedDict):
    """A project: studies, data sets and jobs belong to one each."""

    id: str
    name: str
    created: str
    members: list[str]
