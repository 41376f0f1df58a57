"""Boxes drawn into the picture of a slice: what was said in the colour of its label, what is true in yellow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from diascope.core.boxes import Boxes
from diascope.core.case import Label
from diascope.core.image import Image
from diascope.reports.colours import TRUTH_COLOUR, label_colour
from diascope.reports.display import View

Slice = tuple[Image, int, View]
"""An image, which slice of it is shown, and how it is turned."""


def outlined(
    picture: Pillow.Image, shown: Slice, labels: Sequence[Label], parts: Mapping[str, Any]
) -> tuple[Pillow.Image, list[tuple[str, str]]]:
    """The picture with the boxes that its slice cuts, and what their colours mean.

    Args:
        picture: Of the slice.
        shown: What it is of.
        labels: Their values choose the colours.
        parts: `boxes` (what was said) and `true_boxes`, as in `PictureParts`; both may be absent.
    """
    said, true = parts.get("boxes"), parts.get("true_boxes")
    legend: list[tuple[str, str]] = []
    draw = ImageDraw.Draw(picture)
    colours = {label.name: label_colour(label.value) for label in labels}
    if true is not None:
        for corners in _in_slice(true, shown):
            draw.rectangle(_place(corners, picture, shown), outline=TRUTH_COLOUR, width=2)
        legend.append(("truth (outline)", TRUTH_COLOUR))
    if said is not None:
        font = ImageFont.load_default(size=14)
        numbers = [number for number, _ in _numbered(said, shown)]
        for number in numbers:
            colour = colours.get(said.labels[number], TRUTH_COLOUR)
            place = _place(said.corners[number], picture, shown)
            draw.rectangle(place, outline=colour, width=3)
            if said.scores:
                words = f"{100 * said.scores[number]:.0f}"
                draw.text(
                    (place[0] + 5, place[1] + 3), words, fill=colour, font=font, stroke_width=1, stroke_fill="#000"
                )
        legend = [(label.name, colours[label.name]) for label in labels if label.name in said.labels] + legend
    return picture, legend


def counted(boxes: Boxes | None) -> str:
    """How many boxes of each label there are: `12 RBC, 1 WBC`; `nothing` where there are none."""
    counts = Counter(boxes.labels) if boxes is not None else {}
    return ", ".join(f"{count} {label}" for label, count in sorted(counts.items())) or "nothing"


def _numbered(boxes: Boxes, shown: Slice) -> list[tuple[int, tuple[float, ...]]]:
    _, at, _ = shown
    return [(n, corners) for n, corners in enumerate(boxes.corners) if corners[0] < at + 1 and corners[3] > at]


def _in_slice(boxes: Boxes, shown: Slice) -> list[tuple[float, ...]]:
    return [corners for _, corners in _numbered(boxes, shown)]


def _place(corners: Sequence[float], picture: Pillow.Image, shown: Slice) -> tuple[float, float, float, float]:
    """Left, top, right and bottom in the picture, turned as its slice is."""
    image, _, view = shown
    (_, rows, columns), (width, height) = image.shape, picture.size
    down, across = (corners[1] / rows, corners[4] / rows), (corners[2] / columns, corners[5] / columns)
    if view.swap:
        down, across = across, down
    if view.upside_down:
        down = (1 - down[1], 1 - down[0])
    if view.mirrored:
        across = (1 - across[1], 1 - across[0])
    return across[0] * width, down[0] * height, across[1] * width - 1, down[1] * height - 1
