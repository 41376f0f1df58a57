"""Answers of the service: rules. Written by `diascope.testing.answers`, not by hand."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from diascope.client.answers.of_rule import Rule


class Kept(TypedDict):
    """A rule that is kept."""

    id: str | None
    position: int | None
    source: Literal["file", "api"]
    rule: Rule


class Said(TypedDict):
    """What a rule says about a series."""

    rule: str
    enabled: bool
    matches: bool
    failed: list[str]
    release: str
    send: list[dict[str, Any]]


class Trials(TypedDict):
    """What the rules would do."""

    items: list[Tried]
    more: bool


class Tried(TypedDict):
    """What the rules say about a series."""

    study: str
    series: str
    rules: list[Said]
