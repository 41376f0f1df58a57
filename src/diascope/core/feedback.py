"""Feedback: what readers answered, turned into label changes that name who said so and when."""

from __future__ import annotations

from typing import ClassVar, Literal

from diascope.core.record import Field, Record

Value = bool | float | str | None
"""Of a label: a class, a number, whether it is there; None where nothing is known."""
Kind = Literal["class", "presence", "number", "mask", "boxes", "none"]
"""What a label is of: one class of several, whether something is there, a number, voxels, boxes; nothing that can be
answered."""
Change = Literal["confirmed", "changed", "labelled", "undecided"]
"""The release had said so; it had said otherwise; no release was asked; the reader did not say what is right."""


class LabelChange(Record):
    """What one person said about one label of one case."""

    case: str
    """Name of the case: `<pseudonym>-<digits>`, the same each time."""
    patient: str
    """Pseudonym."""
    column: str
    """Of the label: what `--target` names."""
    kind: Kind
    before: Value = None
    """What the release said; None where it said nothing, or more than a value."""
    after: Value = None
    """What the person says; None where that is in `file` or `boxes`, or not known."""
    file: str = ""
    """Mask on the grid of the image, relative to the folder; empty where there is none."""
    boxes: tuple[tuple[str, tuple[int, int, int], tuple[int, int, int]], ...] = ()
    """Label, start and stop (z, y, x) in voxels, half-open, of what is there; none is a statement as well."""
    change: Change
    origin: Literal["reading", "annotation", "statement"]
    """A reading of a result, an answer on the label pages, a label that was stated in words."""
    of: str
    """Id of that."""
    verdict: str = ""
    reason: str = ""
    """Why there is no label, or why a result was rejected."""
    release: str = ""
    """That was read; empty where none was."""
    author: str
    at: str
    """UTC, ISO 8601."""


class Disagreement(Record):
    """A label about which two people do not agree; no value of it is learnt from."""

    case: str
    column: str
    answers: tuple[tuple[str, Value, str], ...]
    """Author, what they said, and when."""


class Feedback(Record):
    """`feedback.json`: the label changes of a time, beside the table and the files that they make."""

    SCHEMA: ClassVar[int] = 1
    name: str
    project: str
    """Id."""
    created: str
    """UTC, ISO 8601."""
    by: str
    changes: tuple[LabelChange, ...]
    """In the order in which they were said."""
    disagreements: tuple[Disagreement, ...] = ()
    cases: int
    """In the table: those of which a label is known."""
    columns: dict[str, Kind]
    """Of the table, to what they hold."""
    labels: dict[str, int] = Field(default_factory=dict)
    """Name to the value that it has in every mask."""
    left: dict[str, int] = Field(default_factory=dict)
    """Why series were left out, to how many."""
    notes: tuple[str, ...] = ()
