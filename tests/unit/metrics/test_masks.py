"""Mask metrics where masks are empty, flat, at the border, or measured in millimetres."""

import math

import numpy as np
import pytest

from diascope.core import registry
from diascope.metrics.surface import surface
from diascope.metrics.surface_dice import SurfaceDice

EMPTY = np.zeros((4, 5, 6), bool)


def a_box(*spans: tuple[int, int], shape: tuple[int, int, int] = (4, 5, 6)) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[tuple(slice(*span) for span in spans)] = True
    return mask


BOX = a_box((1, 3), (1, 4), (2, 4))


@pytest.mark.parametrize(
    ("name", "missed", "invented"),
    [
        ("dice", 0.0, 0.0),
        ("iou", 0.0, 0.0),
        ("surface_dice", 0.0, 0.0),
        ("volume_error", 1.0, math.nan),
        ("hd95", math.hypot(8, 5, 3), math.hypot(8, 5, 3)),
    ],
)
def test_one_empty_mask(name, missed, invented):
    metric = registry.get("metrics", name)
    assert metric(BOX, EMPTY, (2.0, 1.0, 0.5)) == pytest.approx(missed)
    assert metric(EMPTY, BOX, (2.0, 1.0, 0.5)) == pytest.approx(invented, nan_ok=True)


def test_hd95_is_in_millimetres_of_each_axis():
    one, other = a_box((0, 1), (2, 3), (2, 3)), a_box((3, 4), (2, 3), (2, 3))
    assert registry.get("metrics", "hd95")(one, other, (2.5, 1.0, 1.0)) == pytest.approx(7.5)
    assert registry.get("metrics", "hd95")(one, other, (1.0, 1.0, 1.0)) == pytest.approx(3.0)


def test_a_flat_image_has_an_outline_and_not_only_surface():
    mask = np.zeros((1, 7, 7), bool)
    mask[0, 1:6, 1:6] = True
    assert len(surface(mask, (1.0, 1.0, 1.0))) == 16
    thick = np.zeros((3, 7, 7), bool)
    thick[1, 1:6, 1:6] = True
    assert len(surface(thick, (1.0, 1.0, 1.0))) == 25


def test_the_border_of_the_image_is_surface():
    assert len(surface(np.ones((3, 3, 3), bool), (1.0, 1.0, 1.0))) == 26


def test_surface_dice_counts_what_lies_exactly_at_the_tolerance():
    one, other = a_box((0, 1), (0, 5), (0, 6)), a_box((1, 2), (0, 5), (0, 6))
    assert SurfaceDice(1.0)(one, other, (1.0, 1.0, 1.0)) == 1
    assert SurfaceDice(1.0)(one, other, (1.01, 1.0, 1.0)) == 0
    # Ten steps of 0.1 mm are 0.9999999999999999 or 1.0000000000000002 mm.
    far = np.zeros((20, 1, 1), bool), np.zeros((20, 1, 1), bool)
    far[0][3], far[1][13] = True, True
    assert SurfaceDice(1.0)(*far, (0.1, 1.0, 1.0)) == 1


def test_surface_dice_names_its_tolerance():
    assert SurfaceDice(2.5).title == {
        "en": "Surface Dice (2.5 mm; pixels where there are no mm)",
        "zh-CN": "表面 Dice（2.5 mm；无毫米时为像素）",
    }


def test_volume_errors_of_both_signs_do_not_cancel():
    metric = registry.get("metrics", "volume_error")
    truth = a_box((0, 1), (0, 1), (0, 4))
    assert metric(truth, a_box((0, 1), (0, 1), (0, 5))) == pytest.approx(0.25)
    assert metric(truth, a_box((0, 1), (0, 1), (0, 3))) == pytest.approx(0.25)


def test_numbers_are_taken_as_masks():
    assert registry.get("metrics", "dice")(BOX.astype(np.uint8) * 255, BOX.astype(float)) == 1
