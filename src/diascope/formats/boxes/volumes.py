"""Boxes in volumes as JSON and CSV, in millimetres of the patient (LPS): what COCO JSON, which knows pictures, is not.

The CSV is one that `box_table` reads again: the middle as `coordX, coordY, coordZ` (as in LUNA16) and the size along
the axes of the patient. The JSON has both and the place in voxels of the image.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from diascope.core.boxes import Boxes
from diascope.core.case import Label
from diascope.core.geometry import Geometry
from diascope.core.record import canonical_json, write_durably

COLUMNS = (
    *("image", "label", "probability"),
    *("coordX", "coordY", "coordZ", "sizeX_mm", "sizeY_mm", "sizeZ_mm"),
)
DIGITS = 3
"""Of a millimetre."""


def in_mm(boxes: Boxes, geometry: Geometry) -> list[tuple[list[float], list[float]]]:
    """Middle and size (x, y, z) of each box in millimetres of the patient.

    Where the image lies obliquely, the size is that of the ellipsoid inside, as in `sources/tables/drawn.py`.
    """
    corners = boxes.array
    middles, half = (corners[:, :3] + corners[:, 3:]) / 2, (corners[:, 3:] - corners[:, :3]) / 2
    centres = geometry.to_mm(middles - 0.5)
    reach = np.sqrt(((geometry.affine[:3, :3] * half[:, None]) ** 2).sum(axis=2))
    return [
        (np.round(centre, DIGITS).tolist(), np.round(2 * one, DIGITS).tolist())
        for centre, one in zip(centres, reach, strict=True)
    ]


def write_volume_boxes(
    image: str, boxes: Boxes, geometry: Geometry, labels: Sequence[Label], folder: Path, about: str = ""
) -> tuple[str, str]:
    """Write `boxes.json` and `boxes.csv` into a folder, durably; an image with nothing in it has a row without numbers.

    Args:
        image: Name of its file.
        boxes: In its voxels, with scores.
        geometry: Of the image; it has millimetres.
        labels: What was looked for.
        folder: Where the files go.
        about: What made them, in one line.

    Returns:
        The names of both files.
    """
    values = {label.name: label.value for label in labels}
    found: list[dict[str, Any]] = []
    rows: list[list[Any]] = []
    for number, (centre, size) in enumerate(in_mm(boxes, geometry)):
        probability = boxes.scores[number] if boxes.scores else None
        a, b, c, d, e, f = boxes.corners[number]
        found.append(
            {
                "label": boxes.labels[number],
                "value": values[boxes.labels[number]],
                "probability": probability,
                "centre_mm": centre,
                "size_mm": size,
                "voxels": {"start_zyx": [a, b, c], "stop_zyx": [d, e, f]},
            }
        )
        rows.append([image, boxes.labels[number], "" if probability is None else probability, *centre, *size])
    content = {
        "about": about,
        "image": image,
        "frame": "millimetres of the patient (x to the left, y to the back, z to the head: LPS)",
        "labels": [{"name": label.name, "value": label.value} for label in labels],
        "boxes": found,
    }
    write_durably(folder / "boxes.json", (canonical_json(content, indent=1) + "\n").encode())
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows([COLUMNS, *(rows or [[image, *[""] * (len(COLUMNS) - 1)]])])
    write_durably(folder / "boxes.csv", stream.getvalue().encode())
    return "boxes.json", "boxes.csv"
