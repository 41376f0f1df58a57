"""Answers of the service: signatures. Written by `diascope.testing.answers`, not by hand."""

from __future__ import annotations

from typing import Literal, TypedDict


class Signature(TypedDict):
    """A signed report."""

    id: str
    project: str
    study: str
    reader: str
    display: str
    language: Literal["en", "zh-CN"]
    sections: list[SignedSection]
    readings: list[str]
    addendum: str | None
    counts: bool
    at: str


class SignedSection(TypedDict):
    """A section of a signed report."""

    name: Literal["examination", "compared_with", "findings", "rejected", "impression", "method"]
    text: str
