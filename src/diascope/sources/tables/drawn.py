"""A table with a row a box: which columns are its sides, and the boxes of each image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from diascope.core.boxes import Boxes, Corners
from diascope.core.case import Split
from diascope.core.errors import DataRefused
from diascope.formats.tables.words import number_of
from diascope.sources import SourceOptions
from diascope.sources.folders.files import contents
from diascope.sources.folders.splits import split_of
from diascope.sources.tables.columns import TARGET, first_of, plain
from diascope.sources.tables.describe import Rows
from diascope.sources.tables.sheet import Cells, Sheet, read_columns

CORNERS = (
    ("xmin", "ymin", "xmax", "ymax"),
    ("x_min", "y_min", "x_max", "y_max"),
    ("x1", "y1", "x2", "y2"),
    ("left", "top", "right", "bottom"),
    ("bbox_xmin", "bbox_ymin", "bbox_xmax", "bbox_ymax"),
)
"""Columns of two corners, as they are compared."""
EXTENTS = (
    *(("x", "y", "width", "height"), ("x", "y", "w", "h"), ("left", "top", "width", "height")),
    ("bbox_x", "y", "w", "h"),
)
"""Columns of the upper left corner and of the size."""
LABEL = (
    *("label", "class", "class_name", "category", "finding", "name", "object"),
    *("label_name", "labelname", "category_name", "finding_label", "class_label", "type", "pathology"),
    *("class_id", "category_id", "label_id"),
)
"""Columns that hold the label of a box; without one all boxes have one label."""
IMAGE = (
    *("image", "filename", "file_name", "file", "image_id", "image_name", "path", "img", "image_path", "patientid"),
    *("imageid", "image_index", "imagename", "image_file"),
)
"""Columns that name the image."""
DIFFICULT = ("difficult", "ignore", "ignored", "iscrowd", "is_crowd", "crowd")
"""Columns that say with 1 that a box is to be ignored."""
ONLY = "object"
"""The label of boxes without one."""


@dataclass(frozen=True)
class Sides:
    """The columns of a table of boxes, by the names that they have there.

    Args:
        image: Names the image.
        four: x and y of the corners; of the upper left one, width and height where `extent`.
        extent: Whether the last two are a size.
        label: None where all boxes have one label.
        ignored: None where no box is to be ignored.
    """

    image: str
    four: tuple[str, str, str, str]
    extent: bool
    label: str | None
    ignored: str | None

    @property
    def columns(self) -> frozenset[str]:
        """All of them."""
        return frozenset({self.image, *self.four, *(one for one in (self.label, self.ignored) if one)})


def boxes_alone(rows: Rows | None, options: SourceOptions) -> Rows | None:
    """A table beside boxes without the columns that are named like a target: boxes are it unless the user says so."""
    if rows is None or options.target is not None:
        return rows
    others = {name for name in rows.columns if plain(name) in TARGET}
    return replace(rows, used=rows.used | others)


def sides_of(columns: Sequence[str]) -> Sides | None:
    """The columns of boxes; None where this is another table."""
    known = {plain(name): name for name in reversed(columns)}
    image = first_of(columns, IMAGE)
    for extent, sets in ((False, CORNERS), (True, EXTENTS)):
        for names in sets:
            if image is not None and all(name in known for name in names):
                a, b, c, d = (known[name] for name in names)
                return Sides(image, (a, b, c, d), extent, first_of(columns, LABEL), first_of(columns, DIFFICULT))
    return None


def box_tables(place: Path) -> list[tuple[Split | None, str]]:
    """Split and path of each CSV file with columns of boxes: in a folder, else in its folders that are called as parts.

    Args:
        place: The folder, or such a file itself. Paths are relative to the folder.
    """
    if not place.is_dir():
        return [(None, place.name)] if place.is_file() and _holds_boxes(place) else []
    if own := [name for name in contents(place)[1] if _holds_boxes(place / name)]:
        return [(None, name) for name in own]
    parts = [(split, name) for name in contents(place)[0] if (split := split_of(name)) is not None]
    return [
        (split, f"{part}/{name}")
        for split, part in parts
        for name in contents(place / part)[1]
        if _holds_boxes(place / part / name)
    ]


def _holds_boxes(path: Path) -> bool:
    return path.name.lower().endswith(".csv") and sides_of(read_columns(path)) is not None


def boxes_by_image(sheet: Sheet, sides: Sides) -> tuple[dict[str, Boxes], dict[str, Cells]]:
    """Cell of the image to its boxes, and to its first row. A row without numbers says that there is nothing.

    Raises:
        DataRefused: When a row names no image, has only some of the sides, or a box without a label.
    """
    boxes: dict[str, list[tuple[Corners, str, bool]]] = {}
    first: dict[str, Cells] = {}
    for number, row in enumerate(sheet.rows, 1):
        image = row[sides.image]
        if image is None:
            raise DataRefused(f"row {number} of {sheet.path.name} names no image", todo="Fill it in or remove the row")
        first.setdefault(image, row)
        mine = boxes.setdefault(image, [])
        cells = [row[name] for name in sides.four]
        if all(cell is None for cell in cells):
            continue
        label = row[sides.label] if sides.label else ONLY
        numbers = [None if cell is None else number_of(cell) for cell in cells]
        if label is None or any(value is None for value in numbers):
            missing = [name for name, value in zip(sides.four, numbers, strict=True) if value is None]
            raise DataRefused(
                f"row {number} of {sheet.path.name} has no {', '.join(missing or [str(sides.label)])}",
                given=", ".join(cell or "" for cell in cells),
                todo="Write numbers, or leave all sides empty where an image holds nothing",
            )
        ignored = sides.ignored is not None and row[sides.ignored] in ("1", "true", "True", "yes")
        mine.append((_corners([value or 0.0 for value in numbers], sides.extent), label, ignored))
    return {image: _boxes(found) for image, found in boxes.items()}, first


def _corners(four: Sequence[float], extent: bool) -> Corners:
    left, top, right, bottom = four
    if extent:
        right, bottom = left + right, top + bottom
    return (0.0, top, left, 1.0, bottom, right)


def _boxes(found: Sequence[tuple[Corners, str, bool]]) -> Boxes:
    return Boxes(
        corners=tuple(corners for corners, _, _ in found),
        labels=tuple(label for _, label, _ in found),
        ignored=tuple(number for number, (_, _, ignored) in enumerate(found) if ignored),
    )
