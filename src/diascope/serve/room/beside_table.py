"""The table of laboratory results: values by time, each with its judgement, and where the newest lies in its range."""

from __future__ import annotations

from collections.abc import Sequence

from diascope.reports.markup import Markup, tag
from diascope.serve.beside.table import Analyte, Cell, Column, LabTable
from diascope.serve.room import numbers
from diascope.serve.room.words import Words

WIDE, HIGH = 96, 14
"""Of the bar, in its own units."""
FIRST, LAST = 0.25, 0.75
"""Where the reference range lies in it."""
EDGE = 4
"""How near to the end of the bar its pointer goes."""


def shown_table(table: LabTable, study: str, words: Words) -> Markup:
    """The table.

    Args:
        table: What it holds.
        study: UID of the study that is looked at; columns of other ones say so.
        words: Of the visitor.
    """
    head = tag(
        "tr",
        tag("th", words("beside.analyte"), scope="col"),
        tag("th", words("beside.range"), scope="col"),
        [_head(one, study, words) for one in table.columns],
    )
    older = tag("p", words("beside.older", n=table.older), class_="quiet") if table.older else None
    body = tag("tbody", [_row(one, len(table.columns), words) for one in table.analytes])
    whole = tag("table", tag("thead", head), body, class_="lab")
    region = tag("div", whole, class_="scrolls", role="region", aria_label=words("beside.laboratory"), tabindex=0)
    return tag("div", tag("p", words("beside.caption"), class_="quiet"), region, older, class_="laboratory")


def _head(column: Column, study: str, words: Words) -> Markup:
    day, _, time = numbers.moment(column.taken).partition(" ") if column.taken is not None else ("", "", "")
    when = [tag("span", day or words("beside.no_time"), class_="number"), tag("small", time) if time else None]
    if column.study == study:
        return tag("th", when, scope="col", class_="number")
    other = words("beside.other_study", date=numbers.iso_date(column.date) or "–")
    link = tag("a", other, href=f"/studies/{column.study}")
    return tag("th", when, tag("small", link), scope="col", class_="number other")


def _row(one: Analyte, columns: int, words: Words) -> Markup:
    newest = one.newest
    label = tag(
        "th",
        one.name,
        tag("small", one.unit) if one.unit else None,
        scope="row",
        title=f"LOINC {one.code}" if one.code else None,
    )
    ranged = tag("td", tag("span", _range(newest) or words("beside.no_range"), class_="number"), _bar(newest, words))
    cells = [_cell(one.cells.get(number, ()), newest, words) for number in range(columns)]
    return tag("tr", label, ranged, cells)


def _cell(cells: Sequence[Cell], newest: Cell, words: Words) -> Markup:
    parts: list[Markup] = []
    for one in cells:
        judgement = one.judgement
        sign = words(f"beside.{judgement}") if judgement in ("low", "high") else None
        other = (one.low, one.high) != (newest.low, newest.high)
        parts.append(
            tag(
                "div",
                tag("span", _value(one), class_="number" if one.value is not None else None),
                tag("span", sign, class_=f"judged {judgement}") if sign else None,
                tag("small", words("beside.own_range", range=_range(one) or words("beside.no_range")))
                if other
                else None,
            )
        )
    return tag("td", parts, class_="number")


def _value(one: Cell) -> str:
    return f"{one.value:.12g}" if one.value is not None else one.said


def _range(one: Cell) -> str:
    """`0.6 – 1.2`, `≤ 5`, `≥ 60`; "" where there is none."""
    if one.low is not None and one.high is not None:
        return f"{one.low:.12g} – {one.high:.12g}"
    if one.high is not None:
        return f"≤ {one.high:.12g}"
    return f"≥ {one.low:.12g}" if one.low is not None else ""


def _bar(one: Cell, words: Words) -> Markup | None:
    """Where a value lies in its range; None where that has no two ends, and so no scale."""
    if one.value is None or one.low is None or one.high is None or one.low >= one.high:
        return None
    share = FIRST + (LAST - FIRST) * (one.value - one.low) / (one.high - one.low)
    x = min(max(share * WIDE, EDGE), WIDE - EDGE)
    said = words(f"beside.bar.{one.judgement}", value=_value(one), range=_range(one))
    middle, half = HIGH / 2, HIGH / 2 - 1
    if x != share * WIDE:  # beyond the bar: it points out of it
        tip = x + EDGE if x > WIDE / 2 else x - EDGE
        points = f"{tip:.1f},{middle:.1f} {x:.1f},{middle - half:.1f} {x:.1f},{middle + half:.1f}"
    else:
        points = f"{x:.1f},{HIGH - 1} {x - EDGE:.1f},1 {x + EDGE:.1f},1"
    return tag(
        "svg",
        tag("line", x1=0, x2=WIDE, y1=middle, y2=middle, class_="scale"),
        tag("rect", x=FIRST * WIDE, y=4, width=(LAST - FIRST) * WIDE, height=HIGH - 8, rx=2, class_="usual"),
        tag("polygon", points=points, class_=f"pointer {one.judgement}"),
        viewBox=f"0 0 {WIDE} {HIGH}",
        width=WIDE,
        height=HIGH,
        role="img",
        aria_label=said,
        class_="bar",
    )
