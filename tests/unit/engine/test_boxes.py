"""Boxes on their way to a network: on the working grid, stacked, and moved as the images are."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from diascope.core import registry
from diascope.core.boxes import Boxes
from diascope.core.case import Label, Target
from diascope.core.errors import BadUsage
from diascope.core.geometry import Geometry
from diascope.core.plan import Choice, Plan
from diascope.engine.boxes import LEAST_SEEN, as_rows, moved, seen, stacked, with_boxes
from diascope.engine.feeding import Feed, Stored
from diascope.testing import a_case

TARGET = Target(
    name="boxes", kind="boxes", columns=("boxes",), labels=(Label(name="a", value=1), Label(name="b", value=2))
)
SHAPE = (1, 40, 60)


def rows(*boxes: tuple[float, float, float, float]) -> np.ndarray:
    """(1, N, 8) from (top, left, bottom, right), label 0."""
    return np.array([[[0, t, left, 1, b, r, 0, 0] for t, left, b, r in boxes]], np.float32)


def picture_of(boxes: np.ndarray) -> torch.Tensor:
    """(B, N, 1, Y, X): an ellipse in each box."""
    y, x = np.mgrid[: SHAPE[1], : SHAPE[2]] + 0.5
    found = np.zeros((*boxes.shape[:2], *SHAPE), np.float32)
    for place in np.ndindex(boxes.shape[:2]):
        _, top, left, _, bottom, right = boxes[place][:6]
        inside = ((2 * y - top - bottom) / (bottom - top)) ** 2 + ((2 * x - left - right) / (right - left)) ** 2 < 1
        found[place] = inside
    return torch.from_numpy(found)


def extent(picture: torch.Tensor) -> list[float]:
    """Top, left, bottom and right of what is drawn in (1, Y, X)."""
    y, x = np.nonzero(picture[0].numpy() > 0.5)
    return [y.min(), x.min(), y.max() + 1, x.max() + 1]


def test_boxes_come_to_the_working_grid_and_what_is_unusable_stays_behind() -> None:
    boxes = Boxes.of([[0, 4, 6, 1, 10, 18], [0, 5, 5, 1, 5, 5], [0, 30, 6, 1, 60, 18]], ["b", "a", "a"], ignored=[2])
    stored = Geometry.unknown()
    case = a_case(targets={"boxes": boxes})
    there = with_boxes(case, TARGET, (stored, SHAPE), (stored.resized(SHAPE, (1, 20, 30)), (1, 20, 30)))
    found = there.targets["boxes"]
    assert isinstance(found, Boxes)
    assert as_rows(found, {"a": 0, "b": 1}).tolist() == [[0, 2, 3, 1, 5, 9, 1, 0], [0, 15, 3, 1, 20, 9, 0, 1]]
    assert case.targets["boxes"] is boxes


def test_a_case_without_boxes_stays_as_it_is() -> None:
    case = a_case(targets={"boxes": None})
    assert with_boxes(case, TARGET, (Geometry.unknown(), SHAPE), (Geometry.unknown(), SHAPE)) is case


def test_a_label_that_was_not_declared_is_not_taught() -> None:
    assert as_rows(Boxes.of([[0, 1, 1, 1, 2, 2]], ["other"]), {"a": 0}).shape == (0, 8)


def test_different_numbers_of_boxes_make_one_array() -> None:
    found = stacked([rows((1, 2, 3, 4), (5, 6, 7, 8))[0], np.zeros((0, 8), np.float32)])
    assert found.shape == (2, 2, 8)
    assert np.isfinite(found[0]).all()
    assert np.isnan(found[1]).all()


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("mirror", {"axes": (1, 2), "probability": 1.0}),
        ("affine_elastic", {"probability": 1.0, "rotation": 0.0, "scale": (0.8, 1.3), "translation": 5.0}),
        ("affine_elastic", {"probability": 1.0, "rotation": 180.0, "scale": (1.0, 1.0), "shear": 0.2}),
        (
            "affine_elastic",
            {"probability": 1.0, "rotation": 20.0, "scale": (0.9, 1.1), "elastic": 1.0, "distance": 16.0},
        ),
    ],
)
def test_boxes_stay_around_what_they_were_drawn_around(name: str, params: dict[str, object]) -> None:
    boxes = np.repeat(rows((12, 22, 24, 42), (16, 16, 28, 30)), 4, axis=0)
    transform = registry.get("transforms", name)
    drawn = transform.draw(np.random.default_rng(3), 4, SHAPE, params)
    images, _ = transform.apply(picture_of(boxes), None, drawn)
    there = moved(boxes, transform, drawn, SHAPE)
    apart = []
    for place in np.ndindex(boxes.shape[:2]):
        top, left, bottom, right = extent(images[place])
        if top > 0 and left > 0 and bottom < SHAPE[1] and right < SHAPE[2]:  # all of it is still in the image
            apart.append(np.abs(there[place][[1, 2, 4, 5]] - [top, left, bottom, right]).max())
    assert len(apart) >= 4
    assert max(apart) < (2.5 if "elastic" in params else 1.2)
    assert np.array_equal(there[..., 6:], boxes[..., 6:])


def test_mirroring_twice_brings_boxes_back() -> None:
    transform = registry.get("transforms", "mirror")
    drawn = {"flip": np.array([[False, True, True]])}
    boxes = rows((3, 4, 10, 20))
    once = moved(boxes, transform, drawn, SHAPE)
    assert once[0, 0, :6].tolist() == [0, 30, 40, 1, 37, 56]
    assert np.array_equal(moved(once, transform, drawn, SHAPE), boxes)


def test_padding_stays_padding_and_no_boxes_stay_none() -> None:
    transform = registry.get("transforms", "mirror")
    drawn = {"flip": np.array([[False, True, True]])}
    padded = stacked([rows((3, 4, 10, 20))[0], rows((3, 4, 10, 20), (1, 1, 5, 5))[0]])
    found = moved(padded[:1], transform, drawn, SHAPE)
    assert np.isnan(found[0, 1]).all()
    none = np.zeros((1, 0, 8), np.float32)
    assert moved(none, transform, drawn, SHAPE).shape == (1, 0, 8)
    assert seen(none, SHAPE).shape == (1, 0, 8)


def test_a_box_that_is_mostly_outside_is_ignored_and_one_that_is_wholly_outside_is_gone() -> None:
    boxes = rows((0, 50, 10, 70), (0, 55, 10, 75), (0, 80, 10, 90), (5, 5, 15, 15))
    found = seen(boxes, SHAPE)[0]
    assert found[0, :6].tolist() == [0, 0, 50, 1, 10, 60]
    assert found[:2, 7].tolist() == [0.0, 1.0]
    assert 0.25 < LEAST_SEEN < 0.5
    assert np.isnan(found[2]).all()
    assert np.array_equal(found[3], boxes[0, 3])


class Swirl:
    """An augmentation that moves voxels and cannot say where."""

    scope, spatial = "batch", True

    def draw(self, rng, count, shape, params):
        return {}

    def apply(self, images, masks, drawn):
        return images.flip(4), masks


def test_an_augmentation_that_cannot_move_points_is_refused_for_boxes() -> None:
    with pytest.raises(BadUsage, match="cannot say where boxes go"):
        moved(rows((1, 2, 3, 4)), Swirl(), {}, SHAPE)


def a_plan(**fields: object) -> Plan:
    plain = {"batch": 2, "whole": True, "patch": [1, 40, 60], "foreground": 0.0, "recipe": [], **fields}
    choices = {name: Choice(value=value, kind="fixed", reason="") for name, value in plain.items()}
    return Plan(dataset="d", task="any", target=TARGET, seed=4, choices=choices)


def stored_cases() -> list[Stored]:
    """Two cases: a picture with two boxes, and one with none."""
    two, none = rows((4, 6, 20, 30), (22, 32, 38, 52)), np.zeros((1, 0, 8), np.float32)
    pictures = [picture_of(two)[0].sum(dim=0, keepdim=True).numpy()[0], np.zeros(SHAPE, np.float32)]
    pairs = zip(pictures, (two[0], none[0]), strict=True)
    return [
        Stored(str(n), {"input/image": image[None], "target/boxes": boxes}) for n, (image, boxes) in enumerate(pairs)
    ]


def test_a_batch_holds_images_with_their_own_boxes() -> None:
    recipe = [["mirror", {"axes": [2], "probability": 1.0}]]
    batch = Feed(stored_cases(), a_plan(recipe=recipe)).make(0)
    boxes = batch.target["boxes"]
    assert boxes.shape == (2, 2, 8)
    place = batch.cases.index("0")
    assert boxes[place, 0, :6].tolist() == [0, 4, 30, 1, 20, 54]
    assert bool(torch.isnan(boxes[1 - place]).all())
    assert extent(batch.inputs["image"][place, :, 0, :21]) == [4, 30, 20, 54]


def test_cases_without_any_box_make_a_batch() -> None:
    batch = Feed([stored_cases()[1]] * 2, a_plan()).make(0)
    assert batch.target["boxes"].shape == (2, 0, 8)


def test_a_patch_takes_its_boxes_along() -> None:
    plan = a_plan(whole=False, patch=[1, 40, 20], batch=1)
    for step in range(4):
        batch = Feed([stored_cases()[0]], plan).make(step)
        for box in batch.target["boxes"][0]:
            if bool(torch.isfinite(box).all()) and float(box[7]) == 0:
                middle = ((box[1] + box[4]) / 2, (box[2] + box[5]) / 2)
                assert float(batch.inputs["image"][0, 0, 0, int(middle[0]), min(19, int(middle[1]))]) > 0.5


def test_one_batch_is_the_same_however_many_processes_share_it() -> None:
    recipe = [["affine_elastic", {"probability": 1.0}], ["mirror", {"axes": [1, 2]}]]
    plan = a_plan(recipe=recipe)
    whole = Feed(stored_cases(), plan).make(1)
    halves = [Feed(stored_cases(), plan, (rank, 2)).make(1) for rank in range(2)]
    for place, half in enumerate(halves):
        known = half.target["boxes"].shape[1]
        assert torch.equal(half.inputs["image"][0], whole.inputs["image"][place])
        assert torch.allclose(half.target["boxes"][0], whole.target["boxes"][place, :known], equal_nan=True)
