"""Pascal VOC: one XML file an image (Everingham 2010). Pixels count from 1, and both corners belong to the box."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

from diascope.core.boxes import Boxes, Corners
from diascope.core.errors import UnreadableFile

LARGEST = 32 << 20
"""Bytes of one annotation: a file beyond holds something else."""
SIDES = ("xmin", "ymin", "xmax", "ymax")


@dataclass(frozen=True)
class Annotation:
    """What one file says.

    Args:
        image: Name of the image file; empty where it is not said.
        boxes: On the image as it is stored.
    """

    image: str
    boxes: Boxes


def read_voc(path: Path) -> Annotation:
    """Read one annotation.

    A box whose corners are one point, or the wrong way round, encloses nothing: by the letter it would be one pixel,
    but tools write it for a click. Objects that are marked as difficult are to be ignored.

    Raises:
        UnreadableFile: With the reason.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise UnreadableFile(path, f"larger than {LARGEST >> 20} MB: no annotation of one image")
        root = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError, ValueError, LookupError) as error:
        raise UnreadableFile(path, f"no XML ({error})") from error
    if root.tag != "annotation":
        raise UnreadableFile(path, f"the outermost element is <{root.tag}>, not <annotation>")
    corners, labels, ignored = [], [], []
    for number, element in enumerate(root.iter("object")):
        name = (element.findtext("name") or "").strip()
        if not name:
            raise UnreadableFile(path, f"object {number + 1} has no name")
        corners.append(_corners(element, path, number))
        labels.append(name)
        if (element.findtext("difficult") or "0").strip() == "1":
            ignored.append(number)
    boxes = Boxes(corners=tuple(corners), labels=tuple(labels), ignored=tuple(ignored))
    return Annotation((root.findtext("filename") or "").strip(), boxes)


def _corners(element: ElementTree.Element, path: Path, number: int) -> Corners:
    try:
        left, top, right, bottom = (float(element.findtext(f"bndbox/{side}") or "") for side in SIDES)
    except ValueError:
        left = top = right = bottom = math.nan
    if not all(map(math.isfinite, (left, top, right, bottom))):
        raise UnreadableFile(path, f"object {number + 1} has no bndbox with {', '.join(SIDES)} as numbers")
    # `without_extent` finds what is left at its start.
    stop_y = bottom if bottom > top else top - 1
    stop_x = right if right > left else left - 1
    return (0.0, top - 1, left - 1, 1.0, stop_y, stop_x)
