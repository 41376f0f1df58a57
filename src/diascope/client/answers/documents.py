"""Answers of the service: documents. Written by `diascope.testing.answers`, not by hand."""

from __future__ import annotations

from typing import TypedDict


class Document(TypedDict):
    """A text without its words."""

    id: str
    study: str
    kind: str
    language: str
    written: str | None
    by: str
    at: str
    marked: list[str]


class Mark(TypedDict):
    """What a release said of a text."""

    release: str
    state: str
    reason: str
    spans: list[Span]
    at: str


class ReportText(TypedDict):
    """The words of a DICOM structured report."""

    study: str
    instance: str
    title: str
    complete: str
    verified: str
    text: str


class Span(TypedDict):
    """A part of a text."""

    label: str
    start: int
    stop: int
    probability: float | None


class WholeDocument(TypedDict):
    """A text."""

    id: str
    study: str
    kind: str
    language: str
    written: str | None
    by: str
    at: str
    marked: list[str]
    text: str
    marks: list[Mark]
