"""Answers of the service: reports. Written by `diascope.testing.answers`, not by hand."""

from __future__ import annotations

from typing import Literal, TypedDict


class Report(TypedDict):
    """The draft of a report."""

    study: str
    language: Literal["en", "zh-CN"]
    sections: list[Section]
    unanswered: list[Unanswered]
    readings: list[str]
    signature: str | None


class Section(TypedDict):
    """A section of the draft."""

    name: Literal["examination", "compared_with", "findings", "rejected", "impression", "method"]
    title: str
    text: str
    lines: list[Sentence]


class Sentence(TypedDict):
    """A sentence of the draft."""

    text: str
    result: str | None
    finding: str | None


class Unanswered(TypedDict):
    """A result that counts, and that nobody has decided about."""

    result: str
    series: str
    release: str
