"""Boxes: one convention at faces of voxels, what may be learnt of them, and where they go."""

from __future__ import annotations

import numpy as np
import pytest

from diascope.core.boxes import Boxes
from diascope.core.case import Case, FileRef
from diascope.core.errors import Tampered
from diascope.core.geometry import Geometry
from diascope.testing import a_case

SHAPE = (1, 20, 30)


def flat(*rows: tuple[float, float, float, float], labels: str = "", **more: object) -> Boxes:
    """Boxes of a picture from (top, left, bottom, right)."""
    corners = [(0, top, left, 1, bottom, right) for top, left, bottom, right in rows]
    return Boxes.of(corners, list(labels or "a" * len(rows)), **more)  # type: ignore[arg-type]


def test_what_cannot_be_used_is_named_by_its_number_and_left_out() -> None:
    boxes = flat(
        (2, 3, 8, 9), (5, 5, 5, 5), (40, 3, 50, 9), (2, 3, 8, 9), (-4, 25, 6, 33), (9, 9, 4, 12), ignored=[3, 4]
    )
    assert boxes.without_extent() == (1, 5)
    assert boxes.outside(SHAPE) == (2,)
    assert boxes.drawn_twice() == (3,)
    assert boxes.reaching_out(SHAPE) == (4,)
    usable = boxes.usable(SHAPE)
    assert usable.array.tolist() == [[0, 2, 3, 1, 8, 9], [0, 0, 25, 1, 6, 30]]
    assert usable.ignored == (1,)


def test_one_place_with_two_labels_is_two_boxes() -> None:
    assert flat((2, 3, 8, 9), (2, 3, 8, 9), labels="ab").drawn_twice() == ()


def test_no_box_is_a_statement_that_survives_everything() -> None:
    nothing = Boxes()
    assert nothing.array.shape == (0, 6)
    assert nothing.usable(SHAPE) == nothing.moved(np.eye(4)) == nothing
    assert (nothing.reaching_out(SHAPE), nothing.outside(SHAPE), nothing.without_extent()) == ((), (), ())


@pytest.mark.parametrize(
    "content",
    [
        {"corners": [[0, 0, 0, 1, 2, 2]], "labels": []},
        {"corners": [], "labels": [], "ignored": [0]},
        {"corners": [[0, 0, 0, 1, 2, 2]], "labels": ["a"], "scores": [0.5, 0.5]},
        {"corners": [[0, 0, 1, 2, 2]], "labels": ["a"]},
    ],
)
def test_boxes_that_do_not_fit_together_are_refused(content: dict[str, object]) -> None:
    with pytest.raises(Tampered):
        Boxes.from_json(content)


def test_a_manifest_keeps_boxes_apart_from_masks_and_classes() -> None:
    mask = FileRef(format="picture", paths=("m.png",))
    case = a_case(targets={"boxes": flat((1, 2, 3, 4), ignored=[0]), "mask": mask, "label": "a", "none": None})
    back = Case.from_json(case.to_json())
    assert back == case
    assert isinstance(back.targets["boxes"], Boxes)
    assert isinstance(back.targets["mask"], FileRef)


def test_a_box_around_some_voxels_is_around_the_same_place_after_resampling_and_cropping() -> None:
    stored = Geometry.from_spacing((3.0, 0.5, 0.7), (5.0, -2.0, 1.0))
    boxes = flat((4, 6, 10, 18))
    finer = stored.resized((1, 20, 30), (1, 40, 60))
    assert boxes.moved(stored.index_map(finer)).array.tolist() == [[0, 8, 12, 1, 20, 36]]
    cropped = stored.moved((0, 3, -2))
    assert boxes.moved(stored.index_map(cropped)).array.tolist() == [[0, 1, 8, 1, 7, 20]]


def test_a_box_follows_axes_that_change_places_and_directions() -> None:
    stored = Geometry.from_spacing((2.0, 1.0, 0.5), physical=False)
    box = Boxes.of([[1, 4, 6, 3, 10, 18]], ["a"])
    turned = stored.permuted((2, 0, 1)).flipped(0, 30)
    assert box.moved(stored.index_map(turned)).array.tolist() == [[12, 1, 4, 24, 3, 10]]
    there_and_back = box.moved(stored.index_map(turned)).moved(turned.index_map(stored))
    assert there_and_back == box
