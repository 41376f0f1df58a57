"""COCO JSON (Lin 2014): the boxes of many images in one file, as left, top, width and height."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diascope.core.boxes import Boxes, Corners
from diascope.core.case import Label
from diascope.core.errors import DataRefused, UnreadableFile
from diascope.core.record import canonical_json, write_durably

HEAD = 1 << 16
"""Bytes that are looked at to tell COCO from other JSON."""
KEYS = re.compile(rb'"(images|annotations|categories)"\s*:\s*\[')


@dataclass(frozen=True)
class Listed:
    """One image of a COCO file: the name of its file, (width, height) where it is said, and its boxes."""

    file: str
    size: tuple[int, int] | None
    boxes: Boxes


def looks_like_coco(path: Path) -> bool:
    """Whether the beginning of a file is that of COCO JSON. Never raises."""
    try:
        with path.open("rb") as stream:
            head = stream.read(HEAD)
    except OSError:
        return False
    return head.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] == b"{" and KEYS.search(head) is not None


def read_coco(path: Path) -> tuple[Listed, ...]:
    """Read every image of a file, with its boxes; a crowd is to be ignored.

    Raises:
        UnreadableFile: With the reason.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise UnreadableFile(path, f"no JSON ({error})") from error
    if not isinstance(content, dict) or not isinstance(content.get("images"), list):
        raise UnreadableFile(path, "it has no list of 'images'")
    try:
        names = {one["id"]: str(one["name"]) for one in content.get("categories", [])}
        images = {one["id"]: one for one in content["images"]}
        found: dict[Any, list[tuple[Corners, str, bool]]] = {key: [] for key in images}
        for number, one in enumerate(content.get("annotations", []), 1):
            found[_image(one, number, found)].append(_box(one, number, names))
        return tuple(Listed(str(one["file_name"]), _size(one), _boxes(found[key])) for key, one in images.items())
    except (KeyError, TypeError, ValueError) as error:
        wrong = f"no {error} where one is needed" if isinstance(error, KeyError) else str(error)
        raise UnreadableFile(path, f"it is no COCO file of boxes: {wrong}") from error


def _size(image: Mapping[str, Any]) -> tuple[int, int] | None:
    return (int(image["width"]), int(image["height"])) if "width" in image and "height" in image else None


def _image(one: Mapping[str, Any], number: int, known: Mapping[Any, Any]) -> Any:
    if one["image_id"] not in known:
        raise ValueError(f"annotation {number} is about the image {one['image_id']!r}, which 'images' does not list")
    return one["image_id"]


def _box(one: Mapping[str, Any], number: int, names: Mapping[Any, str]) -> tuple[Corners, str, bool]:
    if not one.get("bbox"):
        raise ValueError(f"annotation {number} has no 'bbox' (outlines are not read)")
    if one["category_id"] not in names:
        raise ValueError(f"annotation {number} has the category {one['category_id']!r}, which 'categories' lacks")
    return _corners(one["bbox"]), names[one["category_id"]], bool(one.get("iscrowd", 0))


def _boxes(found: Sequence[tuple[Corners, str, bool]]) -> Boxes:
    return Boxes(
        corners=tuple(corners for corners, _, _ in found),
        labels=tuple(label for _, label, _ in found),
        ignored=tuple(number for number, (_, _, crowd) in enumerate(found) if crowd),
    )


def _corners(box: Sequence[Any]) -> Corners:
    left, top, width, height = (float(value) for value in box)
    if not all(map(math.isfinite, (left, top, width, height))):
        raise ValueError(f"the box {list(box)} is not finite")
    return (0.0, top, left, 1.0, top + height, left + width)


def write_coco(
    images: Sequence[tuple[str, tuple[int, int, int], Boxes]], labels: Sequence[Label], path: Path, about: str = ""
) -> None:
    """Write boxes as COCO JSON, durably.

    Args:
        images: Name of the file, (Z, Y, X) and boxes of each.
        labels: The categories; their values are the numbers.
        path: The file.
        about: What made it, in one line.

    Raises:
        DataRefused: When an image has more than one slice: COCO knows pictures only.
    """
    numbers = {label.name: label.value for label in labels}
    annotations: list[dict[str, Any]] = []
    for number, (name, shape, boxes) in enumerate(images, 1):
        if shape[0] != 1:
            raise DataRefused("COCO JSON knows flat images only", given=f"{name}: {shape[0]} slices")
        for place, (corners, label) in enumerate(zip(boxes.corners, boxes.labels, strict=True)):
            _, top, left, _, bottom, right = corners
            one = {
                "id": len(annotations) + 1,
                "image_id": number,
                "category_id": numbers[label],
                "bbox": [left, top, round(right - left, 3), round(bottom - top, 3)],
                "area": round((right - left) * (bottom - top), 3),
                "iscrowd": int(place in boxes.ignored),
            }
            annotations.append(one | ({"score": boxes.scores[place]} if boxes.scores else {}))
    content = {
        "info": {"description": about},
        "images": [
            {"id": number, "file_name": name, "height": shape[1], "width": shape[2]}
            for number, (name, shape, _) in enumerate(images, 1)
        ],
        "categories": [{"id": label.value, "name": label.name} for label in labels],
        "annotations": annotations,
    }
    write_durably(path, (canonical_json(content, indent=1) + "\n").encode())
