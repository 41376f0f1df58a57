"""Figures as records: a report, a page or a PDF draws them without knowing the task."""

from __future__ import annotations

from typing import Literal

from diascope.core.record import Record


class Line(Record):
    """One line (or cloud of points) of a chart."""

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    """A band around `y`, where given."""
    style: Literal["line", "points", "step", "reference"] = "line"


class Chart(Record):
    """x against y."""

    kind: Literal["chart"] = "chart"
    title: str
    x_label: str
    y_label: str
    lines: tuple[Line, ...]
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None
    note: str = ""


class Matrix(Record):
    """Counts of rows (truth) against columns (said)."""

    kind: Literal["matrix"] = "matrix"
    title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    counts: tuple[tuple[float, ...], ...]
    sizes: tuple[float, ...] = ()
    """Cases of each row, where one may be in several columns; empty where they are the sum of the row."""
    row_label: str = "truth"
    column_label: str = "said"
    note: str = ""


class Bars(Record):
    """One value a name, with intervals where they exist (also a distribution, as a histogram)."""

    kind: Literal["bars"] = "bars"
    title: str
    names: tuple[str, ...]
    """Of a histogram: the middle of each bin."""
    values: tuple[float, ...]
    low: tuple[float | None, ...] = ()
    high: tuple[float | None, ...] = ()
    unit: str = "1"
    note: str = ""
    histogram: bool = False
    """The names are neighbouring bins, and stand side by side."""


class Picture(Record):
    """One picture with its caption; overlays are burnt in."""

    png: str
    """Base64 of a PNG."""
    caption: str
    case: str = ""
    legend: tuple[tuple[str, str], ...] = ()
    """What the burnt-in colours mean: name and colour as `#rrggbb`."""


class Gallery(Record):
    """Pictures side by side: worst, median and best cases, explanations, samples."""

    kind: Literal["gallery"] = "gallery"
    title: str
    pictures: tuple[Picture, ...]
    note: str = ""


class Grid(Record):
    """A table of text and numbers."""

    kind: Literal["grid"] = "grid"
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | float | int | None, ...], ...]
    note: str = ""


class Mark(Record):
    """A stretch of a text that is something."""

    start: int
    stop: int
    """Characters, half-open."""
    label: str
    colour: int
    """Number of its colour in the palette; the same label has the same one everywhere."""
    sort: Literal["true", "said", "for", "against"] = "said"
    """What is true is underlined, what was said is shaded; so is what speaks for an answer, or against it."""
    strength: int = 4
    """How strongly, 1 to 4; of what speaks for or against an answer."""


class Passage(Record):
    """One text with what is marked in it."""

    text: str
    marks: tuple[Mark, ...] = ()
    caption: str = ""
    case: str = ""


class Passages(Record):
    """Texts below each other."""

    kind: Literal["passages"] = "passages"
    title: str
    passages: tuple[Passage, ...]
    legend: tuple[tuple[str, int], ...] = ()
    """Labels and the numbers of their colours."""
    note: str = ""


Figure = Chart | Matrix | Bars | Gallery | Grid | Passages
