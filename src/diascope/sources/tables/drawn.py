"""A table with a row a box: which columns are its sides, and the boxes of each image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from diascope.core.boxes import Boxes, Corners
from diascope.core.case import Split
from diascope.core.errors import DataRefused
from diascope.core.geometry import Geometry
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
DEEP_CORNERS = (
    ("xmin", "ymin", "zmin", "xmax", "ymax", "zmax"),
    ("x_min", "y_min", "z_min", "x_max", "y_max", "z_max"),
    ("x1", "y1", "z1", "x2", "y2", "z2"),
    ("bbox_xmin", "bbox_ymin", "bbox_zmin", "bbox_xmax", "bbox_ymax", "bbox_zmax"),
)
"""The same in volumes."""
DEEP_EXTENTS = (
    ("x", "y", "z", "width", "height", "depth"),
    ("x", "y", "z", "w", "h", "d"),
)
"""Columns of the corner with the lowest numbers and of the size, in volumes."""
CENTRES = (
    *(("center_x", "center_y", "center_z"), ("centre_x", "centre_y", "centre_z")),
    *(("x_center", "y_center", "z_center"), ("x_centre", "y_centre", "z_centre")),
)
SIZES = (("width", "height", "depth"), ("w", "h", "d"), ("size_x", "size_y", "size_z"))
IN_MM = (
    ("coordx", "coordy", "coordz", "diameter_mm"),
    ("coordx", "coordy", "coordz", "diameter"),
    ("coordx", "coordy", "coordz", "sizex_mm", "sizey_mm", "sizez_mm"),
)
"""Columns of the middle in millimetres of the patient (LPS) and of the diameter (LUNA16), or of the size."""
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
    *("imageid", "image_index", "imagename", "image_file", "seriesuid", "series_uid", "scan", "scan_id"),
)
"""Columns that name the image."""
DIFFICULT = ("difficult", "ignore", "ignored", "iscrowd", "is_crowd", "crowd")
"""Columns that say with 1 that a box is to be ignored."""
SCORE = ("probability", "score", "confidence")
"""Columns that say how sure a model was of a box, as in our own `boxes.csv`: nothing about the image."""
ONLY = "object"
"""The label of boxes without one."""
Form = Literal["corners", "corner and size", "middle and size", "mm"]
FORMS: tuple[tuple[Form, tuple[tuple[str, ...], ...]], ...] = (
    ("corners", DEEP_CORNERS),
    ("middle and size", tuple((*centre, *size) for centre in CENTRES for size in SIZES)),
    ("mm", IN_MM),
    ("corner and size", DEEP_EXTENTS),
    ("corners", CORNERS),
    ("corner and size", EXTENTS),
)
"""Sets of columns, the first of which that a table has is taken."""


@dataclass(frozen=True)
class Sides:
    """The columns of a table of boxes, by the names that they have there.

    Args:
        image: Names the image.
        numbers: First those along x, y and, in volumes, z of a corner (or middle), then those of the other corner or
            the size; `mm` may have one size for all axes.
        form: What the numbers are. Of `mm` they are millimetres of the patient (LPS), else voxels.
        label: None where all boxes have one label.
        ignored: None where no box is to be ignored.
        score: How sure a model was; None where people drew. It is not read.
    """

    image: str
    numbers: tuple[str, ...]
    form: Form
    label: str | None
    ignored: str | None
    score: str | None = None

    @property
    def columns(self) -> frozenset[str]:
        """All of them."""
        return frozenset({self.image, *self.numbers, *(one for one in (self.label, self.ignored, self.score) if one)})


def boxes_alone(rows: Rows | None, options: SourceOptions) -> Rows | None:
    """A table beside boxes without the columns that are named like a target: boxes are it unless the user says so."""
    if rows is None or options.target is not None:
        return rows
    others = {name for name in rows.columns if plain(name) in TARGET}
    return replace(rows, used=rows.used | others)


def sides_of(columns: Sequence[str]) -> Sides | None:
    """The columns of boxes; None where this is another table."""
    known = {plain(name): name for name in reversed(columns)}
    image, label, ignored, score = (first_of(columns, one) for one in (IMAGE, LABEL, DIFFICULT, SCORE))
    for form, sets in FORMS:
        for names in sets:
            if image is not None and all(name in known for name in names):
                numbers = tuple(known[name] for name in names)
                return Sides(image, numbers, form, label, ignored, score)
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

    Boxes in millimetres are corners (z, y, x) in millimetres until the image is known: see `in_voxels`.

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
        cells = [row[name] for name in sides.numbers]
        if all(cell is None for cell in cells):
            continue
        label = row[sides.label] if sides.label else ONLY
        numbers = [None if cell is None else number_of(cell) for cell in cells]
        if label is None or any(value is None for value in numbers):
            missing = [name for name, value in zip(sides.numbers, numbers, strict=True) if value is None]
            raise DataRefused(
                f"row {number} of {sheet.path.name} has no {', '.join(missing or [str(sides.label)])}",
                given=", ".join(cell or "" for cell in cells),
                todo="Write numbers, or leave all sides empty where an image holds nothing",
            )
        ignored = sides.ignored is not None and row[sides.ignored] in ("1", "true", "True", "yes")
        mine.append((_corners([value or 0.0 for value in numbers], sides.form), label, ignored))
    return {image: _boxes(found) for image, found in boxes.items()}, first


def _corners(numbers: Sequence[float], form: Form) -> Corners:
    """Start and stop (z, y, x) of one row."""
    axes = 2 if len(numbers) == 4 and form != "mm" else 3
    first, last = np.array(numbers[:axes]), np.array(numbers[axes:])
    if form == "corner and size":
        last = first + last
    elif form != "corners":
        first, last = first - last / 2, first + last / 2
    start, stop = ([0.0, *first[::-1]], [1.0, *last[::-1]]) if axes == 2 else (first[::-1], last[::-1])
    (a, b, c), (d, e, f) = (tuple(float(value) for value in one) for one in (start, stop))
    return (a, b, c, d, e, f)


def in_voxels(boxes: Boxes, geometry: Geometry) -> Boxes:
    """Boxes whose corners are millimetres of the patient as voxels of an image.

    Where the image lies obliquely it is the box around the ellipsoid inside: of a sphere the size stays what it is.

    Raises:
        NotPhysical: When the image has no millimetres.
    """
    corners = boxes.array
    middles, half = (corners[:, :3] + corners[:, 3:]) / 2, (corners[:, 3:] - corners[:, :3]) / 2
    centre = geometry.to_voxel(middles[:, ::-1]) + 0.5
    turned = np.linalg.inv(geometry.affine)[:3, :3]
    reach = np.sqrt((turned[None] * half[:, None, ::-1]) ** 2 @ np.ones(3))
    reach = np.where((half > 0).all(axis=1, keepdims=True), reach, 0.0)
    return Boxes.of(np.concatenate([centre - reach, centre + reach], axis=1), boxes.labels, boxes.ignored)


def _boxes(found: Sequence[tuple[Corners, str, bool]]) -> Boxes:
    return Boxes(
        corners=tuple(corners for corners, _, _ in found),
        labels=tuple(label for _, label, _ in found),
        ignored=tuple(number for number, (_, _, ignored) in enumerate(found) if ignored),
    )
