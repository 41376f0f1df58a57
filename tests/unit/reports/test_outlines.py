"""Boxes in pictures lie where they lie in the image, whichever way its slices are shown."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image as Pillow

from diascope.core.boxes import Boxes
from diascope.core.case import Label
from diascope.core.figure import Picture
from diascope.core.geometry import Geometry
from diascope.core.image import Image
from diascope.reports.colours import TRUTH_COLOUR, label_colour
from diascope.reports.outlines import counted
from diascope.reports.pictures import slice_picture, telling_slice

LABELS = (Label(name="cell", value=1), Label(name="speck", value=2))


def pixels(picture: Picture) -> np.ndarray:
    return np.asarray(Pillow.open(io.BytesIO(base64.b64decode(picture.png))).convert("RGB")).astype(int)


def where(picture: Picture, colour: str) -> list[float]:
    """Top, left, bottom and right of a colour, as shares of the picture."""
    wanted = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)])
    shown = pixels(picture)
    rows, columns = np.nonzero(np.abs(shown - wanted).max(axis=-1) < 8)
    height, width = shown.shape[:2]
    return [rows.min() / height, columns.min() / width, (rows.max() + 1) / height, (columns.max() + 1) / width]


def a_film(shape: tuple[int, int, int] = (1, 40, 80), geometry: Geometry | None = None) -> Image:
    return Image(np.full((1, *shape), 30, np.uint8), geometry or Geometry.unknown(), "xray", "grey")


def test_boxes_that_were_said_and_true_ones_are_outlined_in_their_colours() -> None:
    said = Boxes.of([[0, 4, 8, 1, 20, 40], [0, 30, 60, 1, 38, 70]], ["cell", "speck"], scores=[0.9, 0.4])
    true = Boxes.of([[0, 10, 50, 1, 20, 60]], ["cell"])
    picture = slice_picture(a_film(), labels=LABELS, boxes=said, true_boxes=true, caption="c")
    assert where(picture, label_colour(1)) == pytest.approx([0.1, 0.1, 0.5, 0.5], abs=0.01)
    assert where(picture, label_colour(2)) == pytest.approx([0.75, 0.75, 0.95, 0.875], abs=0.01)
    assert where(picture, TRUTH_COLOUR) == pytest.approx([0.25, 0.625, 0.5, 0.75], abs=0.01)
    assert [name for name, _ in picture.legend] == ["cell", "speck", "truth (outline)"]


def test_no_box_leaves_the_picture_as_it_is() -> None:
    plain, said = slice_picture(a_film(), labels=LABELS), slice_picture(a_film(), labels=LABELS, boxes=Boxes())
    assert plain.png == said.png
    assert said.legend == ()


def test_a_volume_shows_the_slice_with_boxes_turned_as_the_slice_is() -> None:
    # Columns run to the right of the patient, rows to the front: both are mirrored on the screen.
    turned = Geometry.from_spacing((3, 1, 1), directions=np.array([[0, 0, -1], [0, -1, 0], [1, 0, 0]]))
    box = Boxes.of([[3, 4, 8, 5, 20, 16]], ["cell"])
    picture = slice_picture(a_film((6, 40, 40), turned), labels=LABELS, boxes=box)
    assert where(picture, label_colour(1)) == pytest.approx([0.5, 0.6, 0.9, 0.8], abs=0.01)
    elsewhere = slice_picture(a_film((6, 40, 40), turned), labels=LABELS, boxes=box, index=0)
    assert elsewhere.png == slice_picture(a_film((6, 40, 40), turned), labels=LABELS, index=0).png


def test_boxes_are_counted_in_words() -> None:
    assert counted(Boxes.of([[0, 0, 0, 1, 1, 1]] * 3, ["b", "a", "b"])) == "1 a, 2 b"
    assert counted(Boxes()) == counted(None) == "nothing"


def test_of_a_box_of_several_slices_the_middle_one_is_shown() -> None:
    deep, volume = Boxes.of([[2, 10, 10, 9, 30, 30]], ["cell"]), a_film((12, 40, 40))
    assert telling_slice(volume, None, None, None, [deep]) == 5
    two = Boxes.of([[0, 10, 10, 5, 30, 30], [3, 10, 10, 8, 30, 30], [4, 1, 1, 6, 5, 5]], ["cell"] * 3)
    assert telling_slice(volume, None, None, None, [two]) == 4
