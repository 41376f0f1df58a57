"""Tables: confusion matrices as heat, grids of text and numbers. Real tables: they can be read aloud and copied."""

from __future__ import annotations

import math
from collections.abc import Sequence

from diascope.core.figure import Grid, Matrix
from diascope.reports.markup import Child, Markup, join, tag
from diascope.reports.numbers import UNDEFINED, decimals, number, plain
from diascope.reports.words import Words

GRID_SHOWN = 12
"""Rows of a long grid that stand open; the whole table is folded below."""


def table(
    head: Sequence[Child], rows: Sequence[Sequence[Child]], kinds: Sequence[str] = (), class_: str = ""
) -> Markup:
    """A table that scrolls sideways on a narrow screen.

    Args:
        head: Cells of the first row.
        rows: Cells of the others; the first of each is its header.
        kinds: Class of each column (`number`, `wide`, ...), empty for text.
        class_: Of the table.
    """
    kinds = tuple(kinds) or ("",) * len(head)
    top = tag("tr", [tag("th", cell, scope="col", class_=kind or None) for cell, kind in zip(head, kinds, strict=True)])
    body = []
    for row in rows:
        first, *rest = row
        cells = [tag("th", first, scope="row", class_=kinds[0] or None)]
        cells += [tag("td", cell, class_=kind or None) for cell, kind in zip(rest, kinds[1:], strict=True)]
        body.append(tag("tr", cells))
    content = tag("table", tag("thead", top), tag("tbody", body), class_=class_ or None)
    return tag("div", content, class_="scroll")


def fold(summary: Child, *content: Child, class_: str = "") -> Markup:
    """A part that opens on a click, without any script."""
    return tag("details", tag("summary", summary), *content, class_=class_ or None)


def grid_body(figure: Grid, words: Words) -> Markup:
    """The table of one `Grid` record."""
    if not figure.columns or not figure.rows:
        return tag("p", words("figure.empty"), class_="empty")
    width = len(figure.columns)
    kinds = [_kind([row[at] for row in figure.rows if at < len(row)]) for at in range(width)]
    head = [words.label(column) for column in figure.columns]
    digits = [_digits([row[at] for row in figure.rows if at < len(row)]) for at in range(width)]
    rows = [
        [_cell(row[at] if at < len(row) else None, digits[at], words) for at in range(width)] for row in figure.rows
    ]
    if len(rows) <= GRID_SHOWN + 3:
        return table(head, rows, kinds)
    first = table(head, rows[:GRID_SHOWN], kinds)
    return join([first, fold(words("table.all", n=f"{len(rows):,}"), table(head, rows, kinds))])


def _kind(cells: Sequence[str | float | int | None]) -> str:
    known = [cell for cell in cells if cell is not None]
    return "number" if known and all(isinstance(cell, int | float) for cell in known) else ""


def _digits(cells: Sequence[str | float | int | None]) -> int:
    """Digits after the point that a column's numbers share."""
    known = [cell for cell in cells if isinstance(cell, int | float) and math.isfinite(cell)]
    return 0 if all(float(cell).is_integer() for cell in known) else min(decimals(known, "any"), 3)


def _cell(value: str | float | int | None, digits: int, words: Words) -> str:
    if value is None:
        return UNDEFINED
    if isinstance(value, str):
        return words.label(value)
    return number(value, digits) if value == 0 or abs(value) >= 10**-digits / 2 else plain(value)


def matrix_body(figure: Matrix, words: Words) -> Markup:
    """Counts with the share of their row; the deeper the colour, the larger the share."""
    if not figure.counts or not figure.columns:
        return tag("p", words("figure.empty"), class_="empty")
    down, across = words.phrase(figure.row_label), words.phrase(figure.column_label)
    corner = tag("th", tag("span", f"{across} →"), tag("span", f"{down} ↓"), scope="col", class_="corner")
    head = [corner, *(tag("th", words.phrase(name), scope="col") for name in figure.columns)]
    body = []
    sums = [sum(count for count in counts if math.isfinite(count)) for counts in figure.counts]
    for name, counts, total in zip(figure.rows, figure.counts, figure.sizes or sums, strict=False):
        cells = [tag("th", words.phrase(name), tag("small", f"n = {plain(total)}"), scope="row")]
        cells += [_heat(count, total) for count in counts]
        body.append(tag("tr", cells))
    size = " many" if len(figure.columns) > 5 else " few" if len(figure.columns) < 4 else ""
    content = tag("table", tag("thead", tag("tr", head)), tag("tbody", body), class_=f"heat{size}")
    return tag("div", content, class_="scroll")


def matrix_kind(figure: Matrix) -> str:
    """Class of a matrix, by which the page gives a large one more room."""
    columns = len(figure.columns)
    return "matrix" + (" huge" if columns > 7 else " large" if columns > 3 else "")


def _heat(count: float, total: float) -> Markup:
    if not math.isfinite(count):
        return tag("td", UNDEFINED)
    share = count / total if total > 0 else 0.0
    percent = tag("small", f"{100 * share:.0f}\N{NO-BREAK SPACE}%") if total > 0 else None
    return tag("td", tag("b", plain(count)), percent, class_=f"h{round(10 * min(max(share, 0.0), 1.0))}")
