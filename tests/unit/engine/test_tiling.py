"""Boxes of windows put together: every place of a volume is said by one window, the one it is deepest in."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from diascope.core.case import Label, Target
from diascope.core.plan import Choice, Plan
from diascope.engine.boxes import middle_of_one
from diascope.engine.feeding import Feed, Stored
from diascope.engine.tiling import tiled

PATCH = (8, 16, 16)
PLACES = torch.stack(torch.meshgrid(*(torch.arange(side) + 0.5 for side in PATCH), indexing="ij"), dim=-1).reshape(
    -1, 3
)


def says_what_it_sees(window: Tensor) -> Tensor:
    """(1, P, 7): a box of one voxel at each place, with the voxel's value as its score."""
    return torch.cat([PLACES - 0.5, PLACES + 0.5, window[0, 0].reshape(-1, 1)], dim=1)[None]


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5])
@pytest.mark.parametrize("shape", [(8, 16, 16), (11, 40, 23), (20, 17, 64)])
def test_every_voxel_is_said_once_where_it_is(shape: tuple[int, int, int], overlap: float) -> None:
    volume = torch.arange(int(np.prod(shape)), dtype=torch.float32).reshape(1, *shape)
    found = tiled(volume, says_what_it_sees, PLACES, PATCH, overlap).numpy()
    assert len(found) == np.prod(shape)
    z, y, x = found[:, :3].astype(int).T
    assert np.array_equal(found[:, 6], volume.numpy()[0, z, y, x])
    assert len(np.unique(found[:, 6])) == len(found)


def test_what_lies_near_a_face_of_one_window_is_said_by_the_next() -> None:
    seen = []

    def read(window: Tensor) -> Tensor:
        seen.append(window)
        depth = torch.minimum(PLACES, torch.tensor(PATCH) - PLACES)[:, 2:]
        return torch.cat([PLACES, PLACES, depth], dim=1)[None]

    found = tiled(torch.zeros(1, 8, 16, 48), read, PLACES, PATCH, 0.5).numpy()
    assert len(seen) == 5
    inner = found[(found[:, 2] > 4) & (found[:, 2] < 44)]
    assert inner[:, 6].min() >= 4


def test_a_volume_smaller_than_a_window_lies_in_its_middle() -> None:
    found = tiled(torch.ones(1, 4, 16, 10), says_what_it_sees, PLACES, PATCH, 0.5).numpy()
    assert found[:, 0].min() == -2
    assert found[:, 2].min() == -3
    assert len(found) == len(PLACES)


def a_feed(boxes: list[list[float]], foreground: float) -> Feed:
    target = Target(name="boxes", kind="boxes", columns=("boxes",), labels=(Label(name="a", value=1),))
    values = {
        "whole": False, "patch": [8, 8, 8], "batch": 4, "foreground": foreground, "recipe": [], "readings": {},
    }  # fmt: skip
    choices = {name: Choice(value=value, kind="fixed", reason="") for name, value in values.items()}
    plan = Plan(dataset="d", task="detection", target=target, seed=0, choices=choices)
    arrays = {
        "input/image": np.zeros((1, 40, 40, 40), np.float32),
        "target/boxes": np.array(boxes, np.float32).reshape(-1, 8),
    }
    return Feed([Stored("case", arrays)], plan)


def test_a_share_of_the_patches_lies_around_a_box() -> None:
    box = [18.0, 18, 18, 22, 22, 22, 0, 0]
    always = [a_feed([box], 1.0).make(step).target["boxes"] for step in range(10)]
    assert all(bool(torch.isfinite(one).all()) for one in always)
    assert all(float(one[..., 7].max()) == 0 for one in always)
    for one in always:
        middle = (one[..., :3] + one[..., 3:6]) / 2
        assert bool(((middle >= 1) & (middle <= 7)).all())
    never = torch.cat([a_feed([box], 0.0).make(step).target["boxes"] for step in range(10)])
    assert 0 < int(torch.isnan(never[:, 0, 0]).sum()) < 40


def test_volumes_without_a_box_are_cut_anywhere() -> None:
    batch = a_feed([], 1.0).make(0)
    assert batch.inputs["image"].shape == (4, 1, 8, 8, 8)
    assert batch.target["boxes"].shape == (4, 0, 8)


def test_patches_lie_around_boxes_that_are_learnt_and_labels_take_turns() -> None:
    rng = np.random.default_rng(0)
    boxes = np.array([[0, 0, 0, 2, 2, 2, 0, 0]] * 9 + [[10, 10, 10, 12, 12, 14, 1, 0], [30, 30, 30, 32, 32, 32, 1, 1]])
    found = [middle_of_one(boxes.astype(np.float32), rng) for _ in range(200)]
    assert set(found) == {(1, 1, 1), (11, 11, 12)}
    assert 60 < found.count((11, 11, 12)) < 140
    assert middle_of_one(boxes[-1:].astype(np.float32), rng) is None
