"""Slices as pictures: which slice, which way round, which proportions, which colours."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image as Pillow

from diascope.core.case import Label
from diascope.core.errors import DataRefused
from diascope.core.geometry import Geometry
from diascope.core.image import Image
from diascope.reports.pictures import TRUTH_COLOUR, label_colour, slice_picture, telling_slice, thumbnail_png

LESION = Label(name="lesion", value=1)


def pixels(png: str) -> npt.NDArray[np.uint8]:
    return np.asarray(Pillow.open(io.BytesIO(base64.b64decode(png))).convert("RGB"))


def an_image(
    array: npt.NDArray[Any], geometry: Geometry | None = None, modality: str = "mr", unit: str = "a.u."
) -> Image:
    return Image(array, geometry or Geometry.from_spacing((1, 1, 1)), modality, unit)


def a_corner(geometry: Geometry, shape: tuple[int, int, int] = (4, 40, 40)) -> Image:
    """Bright in the corner that lies right (small x), front (small y); LPS."""
    z, y, x = np.indices(shape)
    points = geometry.to_mm(np.stack([z, y, x], axis=-1))
    middle = geometry.to_mm([(side - 1) / 2 for side in shape])
    bright = (points[..., 0] < middle[0]) & (points[..., 1] < middle[1])
    return an_image(bright[None].astype(np.float32), geometry)


AXES = np.eye(3)
AXIAL = {
    "plain": (AXES[2], AXES[1], AXES[0]),
    "rows reversed": (AXES[2], -AXES[1], AXES[0]),
    "columns reversed": (AXES[2], AXES[1], -AXES[0]),
    "upside down stack": (-AXES[2], AXES[1], AXES[0]),
    "rows and columns swapped": (AXES[2], AXES[0], AXES[1]),
    "swapped and reversed": (AXES[2], -AXES[0], -AXES[1]),
    "tilted": tuple(np.array([[0, -0.2, 0.98], [0, 0.98, 0.2], [1, 0, 0]])),
}


@pytest.mark.parametrize("directions", AXIAL.values(), ids=AXIAL.keys())
def test_axial_slices_show_the_right_side_on_the_left_and_the_front_up(directions: Any) -> None:
    geometry = Geometry.from_spacing((3, 1, 1), directions=np.stack(directions, axis=1))
    shown = pixels(slice_picture(a_corner(geometry)).png).mean(axis=-1)
    height, width = shown.shape
    assert shown[height // 4, width // 4] > 200
    assert shown[height // 4, 3 * width // 4] < 50
    assert shown[3 * height // 4, width // 4] < 50


@pytest.mark.parametrize("flip", [1, -1])
@pytest.mark.parametrize(("normal", "across"), [(1, 0), (0, 1)], ids=["coronal", "sagittal"])
def test_coronal_and_sagittal_slices_show_the_head_up(normal: int, across: int, flip: int) -> None:
    columns = np.stack([AXES[normal], flip * AXES[2], AXES[across]], axis=1)
    geometry = Geometry.from_spacing((2, 1, 1), directions=columns)
    z, y, x = np.indices((3, 30, 30))
    points = geometry.to_mm(np.stack([z, y, x], axis=-1))
    high = points[..., 2] > geometry.to_mm([1, 14.5, 14.5])[2]
    shown = pixels(slice_picture(an_image(high[None].astype(np.float32), geometry)).png).mean(axis=-1)
    assert shown[shown.shape[0] // 4].mean() > 200
    assert shown[3 * shown.shape[0] // 4].mean() < 50


def test_flat_and_unphysical_images_stay_as_they_are_stored() -> None:
    array = np.zeros((1, 1, 40, 40), np.float32)
    array[..., :20, :20] = 1
    mirrored = Geometry.from_spacing((1, 1, 1), directions=np.stack([AXES[2], -AXES[1], -AXES[0]], axis=1))
    for geometry in (mirrored, Geometry.unknown()):
        shown = pixels(slice_picture(an_image(array, geometry)).png).mean(axis=-1)
        assert shown[60, 60] > 200


def test_proportions_are_those_of_the_body() -> None:
    image = an_image(np.random.default_rng(0).random((1, 3, 20, 40)), Geometry.from_spacing((5, 2, 0.5)))
    height, width, _ = pixels(slice_picture(image).png).shape
    assert height == 2 * width
    assert max(height, width) >= 256


def test_large_images_are_reduced() -> None:
    image = an_image(np.zeros((1, 1, 900, 700), np.uint8), Geometry.unknown())
    assert max(pixels(slice_picture(image).png).shape) == 512


def test_slice_with_most_mask_is_shown() -> None:
    array = np.zeros((1, 5, 30, 30), np.float32)
    array[0, 3] = 1000
    mask = np.zeros((1, 5, 30, 30), np.uint8)
    mask[0, 3, 10:15, 10:15] = 1
    mask[0, 1, 10:12, 10:12] = 1
    shown = pixels(slice_picture(an_image(array), an_image(mask, unit="label"), labels=(LESION,)).png)
    assert shown[20, -20].mean() > 200
    other = pixels(slice_picture(an_image(array), an_image(mask, unit="label"), labels=(LESION,), index=1).png)
    assert other[20, -20].mean() < 50


def test_mask_and_truth_have_their_colours() -> None:
    image = an_image(np.zeros((1, 1, 64, 64), np.float32))
    said, known = np.zeros((2, 1, 1, 64, 64), np.uint8)
    said[..., 10:30, 10:30] = 2
    known[..., 40:60, 40:60] = 1
    labels = (LESION, Label(name="necrosis", value=2))
    picture = slice_picture(image, an_image(said), an_image(known), labels, caption="c", case="k")
    shown = pixels(picture.png)
    colours = {tuple(int(v) for v in row) for row in shown.reshape(-1, 3)}
    assert tuple(bytes.fromhex(TRUTH_COLOUR[1:])) in colours
    assert tuple(bytes.fromhex(label_colour(2)[1:])) in colours
    assert tuple(bytes.fromhex(label_colour(1)[1:])) not in colours
    assert picture.legend == (
        ("lesion", label_colour(1)),
        ("necrosis", label_colour(2)),
        ("truth (outline)", TRUTH_COLOUR),
    )
    assert (picture.caption, picture.case) == ("c", "k")
    assert shown[300, 300].sum() == 0
    assert shown[120, 120].sum() > 0


def test_regions_unite_their_members() -> None:
    image = an_image(np.zeros((1, 1, 64, 64), np.float32))
    said = np.zeros((1, 1, 64, 64), np.uint8)
    said[..., 10:20, 10:30], said[..., 20:30, 10:30] = 1, 2
    whole = Label(name="whole", value=1, members=(1, 2))
    shown = pixels(slice_picture(image, an_image(said), labels=(whole,)).png)
    assert shown[90, 120].tolist() == shown[150, 120].tolist()
    assert shown[90, 120].sum() > 0


def test_computed_tomography_is_windowed() -> None:
    array = np.full((1, 1, 32, 32), 40.0, np.float32)
    array[..., :16, :] = -1000
    array[..., 0, 0] = 30000
    shown = pixels(slice_picture(an_image(array, modality="ct", unit="HU")).png)
    assert shown[100, 200].sum() == 0
    assert 60 < shown[300, 200].mean() < 200


def test_colour_images_keep_their_colours() -> None:
    array = np.zeros((3, 1, 20, 20), np.uint8)
    array[0] = 200
    assert pixels(slice_picture(an_image(array, Geometry.unknown(), "photo", "grey")).png)[50, 50].tolist() == [
        200,
        0,
        0,
    ]


def test_three_sequences_are_no_colours() -> None:
    array = np.random.default_rng(0).normal(size=(3, 1, 20, 20)).astype(np.float32)
    shown = pixels(slice_picture(an_image(array, Geometry.unknown())).png)
    assert (shown[..., 0] == shown[..., 1]).all()


def test_heat_is_hot_where_it_is_high() -> None:
    heat = np.zeros((3, 40, 40), np.float32)
    heat[2, 20:30, 20:30] = 5
    shown = pixels(slice_picture(an_image(np.zeros((1, 3, 40, 40), np.float32)), heat=heat).png)
    scale = shown.shape[0] / 40
    assert shown[int(25 * scale), int(25 * scale)].sum() > 300
    assert shown[int(5 * scale), int(35 * scale)].sum() == 0


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_constant_and_undefined_images_and_maps_are_drawn(value: float) -> None:
    image = an_image(np.full((1, 2, 8, 8), value, np.float32))
    heat = np.full((2, 8, 8), value, np.float32)
    assert pixels(slice_picture(image, heat=heat).png).shape == (384, 384, 3)


def test_parts_that_do_not_fit_are_refused() -> None:
    image = an_image(np.zeros((1, 2, 8, 8), np.float32))
    with pytest.raises(DataRefused, match="mask"):
        slice_picture(image, an_image(np.zeros((1, 2, 8, 9), np.uint8)))
    with pytest.raises(DataRefused, match="heat"):
        slice_picture(image, heat=np.zeros((8, 8)))
    with pytest.raises(DataRefused, match="slices 0 to 1"):
        slice_picture(image, index=2)


@pytest.mark.parametrize("shape", [(30, 60), (5, 30, 60), (1, 5, 30, 60), (3, 1, 30, 60)])
def test_thumbnails_are_small(shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    assert pixels(thumbnail_png(array)).shape == (80, 160, 3)


def test_thumbnail_of_a_wrong_array_is_refused() -> None:
    with pytest.raises(DataRefused, match="thumbnail"):
        thumbnail_png(np.zeros(5))


def a_body(slices: int = 8) -> npt.NDArray[np.float32]:
    """HU: a body with an airy lung in it, in the middle slices only; the others are air with noise."""
    values = np.random.default_rng(0).normal(-1000, 15, (slices, 32, 32)).astype(np.float32)
    values[2:6, 6:26, 6:26] = 30
    values[2:6, 10:16, 10:16] = -850
    return values


@pytest.mark.parametrize(
    "where", [(slice(20, 24), slice(20, 24)), (slice(11, 15), slice(11, 15))], ids=["flesh", "lung"]
)
def test_of_slices_with_heat_one_inside_the_body_is_shown(where: tuple[slice, slice]) -> None:
    heat = np.zeros((8, 32, 32), np.float32)
    heat[0] = 0.8
    heat[7, :16] = 1.0
    heat[4, *where] = 0.9
    heat[3, *where] = 0.5
    assert telling_slice(an_image(a_body()[None]), None, None, heat) == 4


def test_without_a_body_or_heat_in_it_the_most_heat_or_the_middle_is_shown() -> None:
    heat = np.zeros((8, 32, 32), np.float32)
    assert telling_slice(an_image(a_body()[None]), None, None, heat) == 4
    heat[7] = 1.0
    assert telling_slice(an_image(a_body()[None]), None, None, heat) == 7
    assert telling_slice(an_image(np.zeros((1, 8, 32, 32), np.float32)), None, None, heat) == 7
