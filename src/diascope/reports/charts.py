"""Figures to HTML: SVG for curves and bars, tables for matrices and grids, pictures side by side.

Colours are classes of `report.css` (a colour-blind-safe palette, light and dark): no style stands in the drawings.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from diascope.core.figure import Bars, Chart, Figure, Gallery, Grid, Line, Matrix, Passages
from diascope.reports.bars import bars_body
from diascope.reports.markup import Markup, escape, join, tag
from diascope.reports.passages import passages_body
from diascope.reports.scales import Scale, span
from diascope.reports.tables import grid_body, matrix_body, matrix_kind
from diascope.reports.words import Words, choose

PALETTE_SIZE = 7
"""Colours in `report.css` (`.s0` ... `.s6`); more series repeat them with another dash."""
WIDTH = 400
LEGEND_LIMIT = 14


def draw(figure: Figure, lang: str = "en") -> str:
    """One figure as an HTML fragment.

    Args:
        figure: Any record of `core.figure`.
        lang: `en` or `zh-CN`.

    Returns:
        A `<figure>` element with its title and note; it needs `report.css` for its colours.

    Raises:
        UnknownName: When reports are not written in that language.
    """
    return figure_markup(figure, choose(lang))


def figure_markup(figure: Figure, words: Words) -> Markup:
    """One figure, with the words of a language."""
    match figure:
        case Chart():
            body, kind = _chart_body(figure, words), "chart"
        case Matrix():
            body, kind = matrix_body(figure, words), matrix_kind(figure)
        case Bars():
            body, kind = bars_body(figure, words), "bars"
        case Gallery():
            body, kind = _gallery_body(figure, words), "gallery"
        case Grid():
            body, kind = grid_body(figure, words), "grid wide"
        case Passages():
            body, kind = passages_body(figure, words), "passages"
    note = tag("p", words.label(figure.note), class_="note") if figure.note else None
    title = tag("figcaption", words.label(figure.title)) if figure.title else None
    return tag("figure", title, body, note, class_=f"figure {kind}")


@dataclass(frozen=True)
class _Frame:
    x: Scale
    y: Scale
    height: float


def _chart_body(figure: Chart, words: Words) -> Markup:
    frame = _frame(figure)
    if frame is None:
        return tag("p", words("figure.empty"), class_="empty")
    styles = _styles(figure.lines)
    order = sorted(range(len(figure.lines)), key=lambda at: figure.lines[at].style != "reference")
    marks = [_series(figure.lines[at], styles[at], frame) for at in order]
    names = ", ".join(words.label(line.label) for line in figure.lines if line.label)
    described = words("chart.described", y=words.label(figure.y_label), x=words.label(figure.x_label), names=names)
    drawing = tag(
        "svg",
        tag("title", words.label(figure.title)),
        tag("desc", described),
        _axes(figure, frame, words),
        marks,
        viewBox=f"0 0 {WIDTH} {frame.height:g}",
        role="img",
        class_="plot",
    )
    lone = len(figure.lines) == 1 and figure.lines[0].label == figure.y_label
    return drawing if lone else join([drawing, _legend(figure.lines, styles, words)])


def _frame(figure: Chart) -> _Frame | None:
    xs = [value for line in figure.lines for value in line.x]
    ys = [value for line in figure.lines for value in (*line.y, *line.low, *line.high)]
    if not any(math.isfinite(value) for value in xs) or not any(math.isfinite(value) for value in ys):
        return None
    x_range, y_range = span(xs, figure.x_range, pad=0.0), span(ys, figure.y_range)
    height = 380.0 if x_range == y_range else 290.0
    widest = max(len(text) for _, text in Scale(*y_range, 0, 1).ticks())
    left = 30 + 8.6 * max(widest, 3)
    return _Frame(Scale(*x_range, left, WIDTH - 14), Scale(*y_range, height - 46, 10), height)


def _axes(figure: Chart, frame: _Frame, words: Words) -> Markup:
    x, y = frame.x, frame.y
    parts = []
    for value, text in y.ticks():
        at = y(value)
        parts.append(tag("line", x1=x.start, x2=x.stop, y1=at, y2=at, class_="gridline"))
        parts.append(tag("text", text, x=x.start - 7, y=at + 4, text_anchor="end", class_="tick"))
    for value, text in x.ticks():
        at = x(value)
        parts.append(tag("line", x1=at, x2=at, y1=y.start, y2=y.start + 4, class_="axis"))
        inside = min(at, WIDTH - 4.5 * len(text))
        parts.append(tag("text", text, x=inside, y=y.start + 18, text_anchor="middle", class_="tick"))
    parts.append(tag("line", x1=x.start, x2=x.stop, y1=y.start, y2=y.start, class_="axis"))
    middle = (y.start + y.stop) / 2
    across = words.label(figure.x_label)
    parts.append(
        tag("text", across, x=(x.start + x.stop) / 2, y=frame.height - 8, text_anchor="middle", class_="label")
    )
    turned = f"rotate(-90 14 {middle:g})"
    upward = words.label(figure.y_label)
    parts.append(tag("text", upward, x=14, y=middle, text_anchor="middle", transform=turned, class_="label"))
    return tag("g", parts)


def _styles(lines: tuple[Line, ...]) -> list[str]:
    """Classes of each line: colours go to data in order, reference lines are grey and dashed."""
    found, colour = [], 0
    for line in lines:
        if line.style == "reference":
            found.append("reference")
            continue
        dash = ("", " dashed", " dotted")[colour // PALETTE_SIZE % 3]
        found.append(f"s{colour % PALETTE_SIZE}{dash}")
        colour += 1
    return found


def _series(line: Line, style: str, frame: _Frame) -> Markup:
    points = [(x, y) for x, y in zip(line.x, line.y, strict=False)]
    parts = []
    if len(line.low) == len(line.high) == len(points) > 0:
        parts.append(_whiskers(line, frame) if line.style == "points" else _band(line, frame))
    if line.style == "points":
        seen = {(round(frame.x(x), 1), round(frame.y(y), 1)) for x, y in points if math.isfinite(x + y)}
        radius = 4.0 if len(seen) <= 40 else 2.5
        parts += [tag("circle", cx=x, cy=y, r=radius, class_="dot") for x, y in sorted(seen)]
    else:
        parts.append(tag("path", d=_path(points, frame, line.style == "step"), class_="line"))
        if len(points) == 1 and math.isfinite(sum(points[0])):
            parts.append(tag("circle", cx=frame.x(points[0][0]), cy=frame.y(points[0][1]), r=4, class_="dot"))
    return tag("g", parts, class_=f"series {style}")


def _path(points: list[tuple[float, float]], frame: _Frame, step: bool) -> str:
    """Path data; a value that is not finite breaks the line, points closer than a third of a pixel are dropped."""
    parts: list[str] = []
    last: tuple[float, float] | None = None
    for index, point in enumerate(points):
        if not math.isfinite(point[0] + point[1]):
            last = None
            continue
        x, y = frame.x(point[0]), frame.y(point[1])
        if last and index < len(points) - 1 and abs(x - last[0]) + abs(y - last[1]) < 1 / 3:
            continue
        bend = f"H{x:.1f}" if last and step else ""
        parts.append(f"{bend}L{x:.1f} {y:.1f}" if last else f"M{x:.1f} {y:.1f}")
        last = (x, y)
    return "".join(parts)


def _band(line: Line, frame: _Frame) -> Markup:
    rows = [row for row in zip(line.x, line.low, line.high, strict=False) if math.isfinite(sum(row))]
    corners = [(x, high) for x, _, high in rows] + [(x, low) for x, low, _ in reversed(rows)]
    return tag("polygon", points=" ".join(f"{frame.x(x):.1f},{frame.y(y):.1f}" for x, y in corners), class_="band")


def _whiskers(line: Line, frame: _Frame) -> Markup:
    rows = [row for row in zip(line.x, line.low, line.high, strict=False) if math.isfinite(sum(row))]
    return tag(
        "g",
        [
            tag("line", x1=frame.x(x), x2=frame.x(x), y1=frame.y(low), y2=frame.y(high), class_="whisker")
            for x, low, high in rows
        ],
    )


def _legend(lines: tuple[Line, ...], styles: list[str], words: Words) -> Markup:
    """The names below the drawing, where they wrap and never lie on a curve."""
    named = [(line, style) for line, style in zip(lines, styles, strict=True) if line.label]
    if not named:
        return join([])
    items = []
    for line, style in named[:LEGEND_LIMIT]:
        mark = (
            tag("circle", cx=11, cy=6, r=4, class_="dot")
            if line.style == "points"
            else tag("line", x1=1, x2=21, y1=6, y2=6, class_="line")
        )
        key = tag("svg", tag("g", mark, class_=style), viewBox="0 0 22 12", class_="key", aria_hidden="true")
        items.append(tag("li", key, words.label(line.label)))
    if len(named) > LEGEND_LIMIT:
        items.append(tag("li", words("figure.more", n=len(named) - LEGEND_LIMIT)))
    return tag("ul", items, class_="legend")


def _gallery_body(figure: Gallery, words: Words) -> Markup:
    if not figure.pictures:
        return join([]) if figure.note else tag("p", words("figure.empty"), class_="empty")
    cells = []
    for picture in figure.pictures:
        caption = words.phrase(picture.caption)
        named = ("", *(part.strip() for part in caption.split("|")))
        said = [
            tag("span", caption, class_="caption") if caption else None,
            tag("span", picture.case, class_="case") if picture.case not in named else None,
        ]
        told = caption or picture.case or figure.title
        image = tag("img", src=f"data:image/png;base64,{picture.png}", alt=told) if picture.png else None
        cells.append(tag("div", image, tag("p", *said), class_="cell"))
    colours = dict(pair for picture in figure.pictures for pair in picture.legend)
    return join([swatches(colours, words), tag("div", cells, class_="cells")])


def swatches(colours: dict[str, str], words: Words) -> Markup:
    """What the burnt-in colours of pictures mean: name to `#rrggbb`."""
    items = []
    for name, colour in colours.items():
        if not re.fullmatch(r"#[0-9a-fA-F]{6}", colour):
            continue
        patch = tag("rect", x=1, y=1, width=12, height=12, rx=2, fill=colour)
        key = tag("svg", patch, viewBox="0 0 14 14", class_="swatch", aria_hidden="true")
        items.append(tag("li", key, escape(words.phrase(name))))
    return tag("ul", items, class_="legend") if items else join([])
