"""Answers of the service: peers. Written by `diascope.testing.answers`, not by hand."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from diascope.client.answers.jobs import Job


class Answers(TypedDict):
    """What a peer has."""

    job: Job
    items: list[dict[str, str]]
    more: bool


class Named(TypedDict):
    """A peer by name."""

    id: str
    name: str
    kind: Literal["dimse", "dicomweb", "mllp", "fhir", "webhook"]
    enabled: bool


class Peer(TypedDict):
    """A peer with its settings."""

    id: str
    name: str
    kind: Literal["dimse", "dicomweb", "mllp", "fhir", "webhook"]
    enabled: bool
    project: str
    rights: list[Literal["store", "find", "get", "move", "identity", "worklist"]]
    settings: dict[str, Any]
    has_token: bool
