"""Spans of a text: which characters are what, as people mark it or as a model says it.

One convention. A span is its start and its stop in characters (Unicode code points) of the text as it was read, counted
from 0 and half-open: the first three characters reach from 0 to 3, and `text[start:stop]` is what is marked.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, Self

from pydantic import model_validator

from diascope.core.record import Record

Place = tuple[int, int]


class Spans(Record):
    """The spans of one text, held in the manifest itself; none is a statement as well: there is nothing."""

    kind: Literal["spans"] = "spans"
    length: int
    """Characters of the text."""
    places: tuple[Place, ...] = ()
    """Start and stop of each."""
    labels: tuple[str, ...] = ()
    """Name of the label of each."""

    @model_validator(mode="after")
    def _lengths_fit(self) -> Self:
        if len(self.labels) != len(self.places):
            raise ValueError(f"{len(self.places)} spans, {len(self.labels)} labels")
        return self

    @classmethod
    def of(cls, length: int, spans: Iterable[tuple[int, int, str]]) -> Self:
        """Build from start, stop and label of each."""
        known = sorted(spans)
        places = tuple((int(start), int(stop)) for start, stop, _ in known)
        return cls(length=length, places=places, labels=tuple(label for _, _, label in known))

    @property
    def all(self) -> tuple[tuple[int, int, str], ...]:
        """Start, stop and label of each, by start."""
        return tuple(
            sorted((start, stop, label) for (start, stop), label in zip(self.places, self.labels, strict=True))
        )

    def empty(self) -> tuple[int, ...]:
        """Numbers of spans that hold no character."""
        return tuple(number for number, (start, stop) in enumerate(self.places) if stop <= start)

    def outside(self) -> tuple[int, ...]:
        """Numbers of spans that are not empty and reach out of the text."""
        empty = set(self.empty())
        ends = enumerate(self.places)
        return tuple(n for n, (start, stop) in ends if n not in empty and not 0 <= start < stop <= self.length)

    def twice(self) -> tuple[int, ...]:
        """Numbers of spans that repeat an earlier one, place and label alike."""
        seen: set[tuple[Place, str]] = set()
        found = []
        for number, key in enumerate(zip(self.places, self.labels, strict=True)):
            if key in seen:
                found.append(number)
            seen.add(key)
        return tuple(found)

    def crossed(self) -> tuple[int, ...]:
        """Numbers of spans that give way, because they share characters with one that is kept.

        A character can be one thing only. Of spans that share some the longest is kept (a name within a longer name
        says less), of equally long ones the first in the text, then the first that was listed.
        """
        left_out = {*self.empty(), *self.outside(), *self.twice()}
        rest = [number for number in range(len(self.places)) if number not in left_out]
        taken = bytearray(self.length)
        found = []
        for number in sorted(rest, key=lambda n: (self.places[n][0] - self.places[n][1], self.places[n][0], n)):
            start, stop = self.places[number]
            if any(taken[start:stop]):
                found.append(number)
            else:
                taken[start:stop] = b"\1" * (stop - start)
        return tuple(sorted(found))

    def usable(self) -> Spans:
        """What can be learnt and scored: within the text, not empty, each once, none on top of another."""
        left_out = {*self.empty(), *self.outside(), *self.twice(), *self.crossed()}
        return Spans.of(self.length, (one for n, one in enumerate(self._listed()) if n not in left_out))

    def _listed(self) -> list[tuple[int, int, str]]:
        return [(start, stop, label) for (start, stop), label in zip(self.places, self.labels, strict=True)]
