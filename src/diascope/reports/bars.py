"""Bars with their intervals, histograms, and the small interval plots of tables."""

from __future__ import annotations

import math
import unicodedata

from diascope.core.figure import Bars
from diascope.core.finding import Measure
from diascope.reports.markup import Markup, tag
from diascope.reports.numbers import defined, measure_text, plain
from diascope.reports.scales import Scale, span
from diascope.reports.words import Words

WIDTH = 400
ROW = 28
MOST_TEXT = 180
"""Pixels on the right that values may take: the bars need the rest."""


def bars_body(figure: Bars, words: Words) -> Markup:
    """The drawing of one `Bars` record."""
    if not figure.names:
        return tag("p", words("figure.empty"), class_="empty")
    if figure.histogram:
        return _histogram(figure, words)
    return _rows(figure, words)


def shorten(text: str, room: float, size: float = 12.5) -> str:
    """Text cut to a width in pixels; wide (Chinese) characters count as one em, others as 0.56."""
    used = 0.0
    for at, character in enumerate(text):
        used += size * (1.0 if unicodedata.east_asian_width(character) in "WF" else 0.56)
        if used > room:
            return text[: max(at - 1, 1)] + "…"
    return text


def _measures(figure: Bars) -> list[Measure]:
    low = figure.low or (None,) * len(figure.names)
    high = figure.high or (None,) * len(figure.names)
    rows = zip(figure.values, low, high, strict=False)
    return [Measure(value=value, unit=figure.unit, low=lower, high=upper) for value, lower, upper in rows]


def _rows(figure: Bars, words: Words) -> Markup:
    measures = _measures(figure)
    ends = [end for row in measures for end in (row.value, row.low, row.high) if end is not None]
    low, high = span([0.0, *ends], pad=0.0)
    if figure.unit == "1" and 0.3 < high <= 1 and low >= 0:
        high = 1.0
    texts = [measure_text(row, words) if row.low is not None else _bare(row) for row in measures]
    right = min(max(max(map(len, texts)) * 7.6 + 12, 34), MOST_TEXT)
    scale = Scale(low, high, 132, WIDTH - right)
    parts = []
    for index, (name, row, text) in enumerate(zip(figure.names, measures, texts, strict=False)):
        top = index * ROW + 4
        middle = top + ROW / 2 - 2
        name = words.phrase(name)
        label = tag(
            "text", tag("title", name), shorten(name, 118), x=124, y=middle + 4, text_anchor="end", class_="tick"
        )
        parts.append(tag("g", label, _bar(row, scale, middle)))
        parts.append(tag("text", text, x=WIDTH - 2, y=middle + 4, text_anchor="end", class_="value"))
    height = len(measures) * ROW + 8
    zero = tag("line", x1=scale(0), x2=scale(0), y1=2, y2=height - 4, class_="axis")
    return _svg(figure, words, [*parts, zero], height)


def _bare(row: Measure) -> str:
    return plain(row.value) if row.value is not None else "–"


def _bar(row: Measure, scale: Scale, middle: float) -> Markup | None:
    if row.value is None or not math.isfinite(row.value):
        return None
    left, right = sorted((scale(0), scale(row.value)))
    parts = [tag("rect", x=left, y=middle - 8, width=max(right - left, 0.5), height=16, rx=2, class_="bar")]
    if row.low is not None and row.high is not None and defined(row.low) and defined(row.high):
        start, stop = scale(row.low), scale(row.high)
        parts.append(tag("line", x1=start, x2=stop, y1=middle, y2=middle, class_="whisker"))
        parts += [tag("line", x1=at, x2=at, y1=middle - 4, y2=middle + 4, class_="whisker") for at in (start, stop)]
    return tag("g", parts)


def _histogram(figure: Bars, words: Words) -> Markup:
    height = 220.0
    known = [value for value in figure.values if math.isfinite(value)]
    y = Scale(*span([0.0, *known], pad=0.04), height - 30, 8)
    left = 16 + 7.5 * max(len(text) for _, text in y.ticks(4))
    width = (WIDTH - 8 - left) / len(figure.names)
    every = max(1, math.ceil(len(figure.names) / 6))
    parts = []
    for value, text in y.ticks(4):
        parts.append(tag("line", x1=left, x2=WIDTH - 8, y1=y(value), y2=y(value), class_="gridline"))
        parts.append(tag("text", text, x=left - 6, y=y(value) + 4, text_anchor="end", class_="tick"))
    for index, (name, value) in enumerate(zip(figure.names, figure.values, strict=False)):
        at = left + index * width
        if math.isfinite(value):
            top, bottom = sorted((y(value), y(0)))
            told = tag("title", f"{name}: {plain(value)}")
            parts.append(
                tag("rect", told, x=at + 0.5, y=top, width=max(width - 1, 0.8), height=bottom - top, class_="bar")
            )
        if index % every == 0:
            parts.append(tag("text", name, x=at + width / 2, y=height - 12, text_anchor="middle", class_="tick"))
    return _svg(figure, words, parts, height)


def _svg(figure: Bars, words: Words, parts: list[Markup], height: float) -> Markup:
    pairs = zip(figure.names, figure.values, strict=False)
    described = "; ".join(f"{words.phrase(name)}: {plain(value)}" for name, value in list(pairs)[:20])
    return tag(
        "svg",
        tag("title", words.phrase(figure.title)),
        tag("desc", described),
        tag("g", parts, class_="series s0"),
        viewBox=f"0 0 {WIDTH} {height:g}",
        role="img",
        class_="plot",
    )


def interval_plot(
    measure: Measure, low: float, high: float, reference: float | None = None, width: float = 220.0
) -> Markup:
    """A dot on its interval, on an axis from `low` to `high`, for a cell of a table.

    Args:
        measure: What is drawn; the interval only where it has one.
        low: Left end of the axis.
        high: Right end of the axis.
        reference: A value to compare with (all cases together), as a dashed line.
        width: Pixels.
    """
    scale = Scale(low, high, 7, width - 7)
    parts = [tag("line", x1=7, x2=width - 7, y1=9, y2=9, class_="track")]
    if measure.low is not None and measure.high is not None and defined(measure.low) and defined(measure.high):
        parts.append(tag("line", x1=scale(measure.low), x2=scale(measure.high), y1=9, y2=9, class_="range"))
    if reference is not None and math.isfinite(reference):
        at = scale(reference)
        parts.append(tag("line", x1=at, x2=at, y1=0, y2=18, class_="reference-line"))
    if measure.value is not None and math.isfinite(measure.value):
        parts.append(tag("circle", cx=scale(measure.value), cy=9, r=4.5, class_="dot"))
    drawn = tag("g", parts, class_="s0")
    box = f"0 0 {width:g} 18"
    return tag("svg", drawn, viewBox=box, preserveAspectRatio="xMinYMid", class_="interval", aria_hidden="true")
