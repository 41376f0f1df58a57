from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from diascope.core.case import Label, Target
from diascope.core.errors import BadUsage, DataRefused
from diascope.core.plan import Choice, Plan
from diascope.engine.batch import Batch, Example
from diascope.engine.feeding import PLACES, Feed, Pack, Stored, _thinned, crop, generator
from diascope.testing import a_case

RECIPE = [
    ["affine_elastic", {"probability": 0.8, "rotation": [20.0, 10.0, 10.0], "scale": [0.8, 1.2], "elastic": 1.0}],
    ["mirror", {"axes": [0, 2]}],
    ["noise", {"probability": 0.5}],
    ["blur", {"probability": 0.5}],
    ["brightness_contrast", {"probability": 0.5}],
    ["low_resolution", {"probability": 0.5}],
    ["gamma", {"probability": 0.5}],
]


def a_plan(**changes: Any) -> Plan:
    plain: dict[str, Any] = {"batch": 4, "whole": False, "patch": [4, 6, 8], "foreground": 0.5, "recipe": []}
    choices = {name: Choice(value=value, kind="fixed", reason="") for name, value in {**plain, **changes}.items()}
    labels = (Label(name="a", value=1), Label(name="b", value=2))
    target = Target(name="mask", kind="mask", columns=("mask",), labels=labels, ignore=changes.pop("ignore", None))
    return Plan(dataset="d", task="segmentation", target=target, seed=changes.pop("seed", 5), choices=choices)


def volumes(count: int, shape: tuple[int, int, int] = (8, 10, 12), structure: bool = True) -> list[Stored]:
    """Volumes whose values say where they are, with a box of label 1 and one voxel of label 2."""
    found = []
    for number in range(count):
        image = np.arange(np.prod(shape), dtype=np.float32).reshape(1, *shape) + 1e5 * number
        mask = np.zeros(shape, np.uint8)
        if structure:
            mask[5:7, 6:9, 1:4] = 1
            mask[1, 2, 10] = 2
        found.append(Stored(f"case{number}", {"input/image": image, "target/mask": mask}))
    return found


def same(one: Batch, other: Batch) -> bool:
    pairs = [(one.inputs[k], other.inputs[k]) for k in one.inputs] + [
        (one.target[k], other.target[k]) for k in one.target
    ]
    return one.cases == other.cases and all(torch.equal(a, b) for a, b in pairs)


def test_a_batch_depends_on_the_seed_and_the_step_alone() -> None:
    plan = a_plan(recipe=RECIPE)
    first, other = Feed(volumes(5), plan), Feed(volumes(5), plan)
    for step in (7, 3, 0, 7):
        other.make(step)
    assert same(first.make(7), other.make(7))
    assert not same(first.make(7), first.make(8))
    assert not same(first.make(7), Feed(volumes(5), a_plan(recipe=RECIPE, seed=6)).make(7))


@given(count=st.integers(1, 9), batch=st.integers(1, 12))
def test_every_epoch_shows_every_case_once(count: int, batch: int) -> None:
    cases = [Stored(f"case{number}", {}) for number in range(count)]
    feed = Feed(cases, a_plan(batch=batch))
    seen = [index for step in range(2 * count) for index in feed.indices(step)]
    for epoch in range(len(seen) // count):
        assert sorted(seen[epoch * count : (epoch + 1) * count]) == list(range(count))


@pytest.mark.parametrize("ranks", [2, 4])
def test_ranks_see_the_slices_of_one_global_batch_also_when_it_is_augmented(ranks: int) -> None:
    plan = a_plan(batch=8, recipe=RECIPE)
    whole = Feed(volumes(5), plan).make(3)
    parts = [Feed(volumes(5), plan, (rank, ranks)).make(3) for rank in range(ranks)]
    assert sum((part.cases for part in parts), ()) == whole.cases
    assert torch.allclose(torch.cat([part.inputs["image"] for part in parts]), whole.inputs["image"], atol=1e-2)
    assert torch.equal(torch.cat([part.target["mask"] for part in parts]), whole.target["mask"])


def test_a_batch_that_cannot_be_shared_is_refused_with_one_that_can() -> None:
    with pytest.raises(BadUsage, match="batch=10"):
        Feed(volumes(5), a_plan(batch=9), (0, 2))


def test_no_case_is_refused() -> None:
    with pytest.raises(DataRefused, match="no case to train on"):
        Feed([], a_plan())


def test_batches_made_ahead_are_those_made_alone() -> None:
    feed = Feed(volumes(5), a_plan(recipe=RECIPE))
    ahead = list(feed.batches(2, 7, ahead=True))
    assert [batch.step for batch in ahead] == [batch.step for batch in feed.batches(2, 7)] == [2, 3, 4, 5, 6]
    assert all(same(batch, Feed(volumes(5), feed.plan).make(batch.step)) for batch in ahead)


def test_a_fault_while_a_batch_is_made_reaches_the_loop_and_nothing_hangs() -> None:
    cases = [*volumes(3), Stored("broken", {"input/image": np.zeros((2, 8, 10, 12), np.float32)})]
    began = time.monotonic()
    with pytest.raises((ValueError, KeyError)):
        list(Feed(cases, a_plan()).batches(0, 50, ahead=True))
    assert time.monotonic() - began < 10


def test_a_loop_that_ends_early_leaves_no_thread() -> None:
    import threading

    feed = Feed(volumes(5), a_plan())
    for _ in feed.batches(0, 1000, ahead=True):
        break
    assert not [thread for thread in threading.enumerate() if thread.name == "feed"]


def test_a_share_of_the_patches_holds_a_structure() -> None:
    cases = volumes(3, (30, 40, 50))
    feed = Feed(cases, a_plan(foreground=1.0, batch=3))
    masks = torch.cat([feed.make(step).target["mask"] for step in range(20)])
    assert bool((masks > 0).flatten(1).any(dim=1).all())
    assert bool((masks == 2).any())  # Rare structures are chosen as often as large ones.
    without = Feed(volumes(3, structure=False), a_plan(foreground=1.0, batch=3)).make(0)
    assert without.inputs["image"].shape == (3, 1, 4, 6, 8)


def test_a_small_structure_beside_a_large_one_keeps_its_places() -> None:
    values = np.ones(500_000, np.uint8)
    values[1000:1050] = 2
    kept = _thinned(np.arange(len(values)), values, np.random.default_rng(0))
    assert np.bincount(values[kept]).tolist() == [0, PLACES, 50]
    assert _thinned(np.arange(0), values[:0], np.random.default_rng(0)).size == 0


def test_each_channel_is_filled_with_its_own_lowest_value() -> None:
    array = np.stack([np.full((2, 2, 2), -1.0), np.full((2, 2, 2), 5.0)]).astype(np.float32)
    patch = crop(array, (-1, 0, 0), (4, 2, 2))
    assert [np.unique(channel).tolist() for channel in patch] == [[-1.0], [5.0]]


def test_image_and_mask_are_cut_alike() -> None:
    for one in range(10):
        batch = Feed(volumes(1), a_plan(batch=1)).make(one)
        corner = int(batch.inputs["image"][0, 0, 0, 0, 0])
        z, y, x = np.unravel_index(corner, (8, 10, 12))
        expected = volumes(1)[0].arrays["target/mask"][z : z + 4, y : y + 6, x : x + 8]
        assert np.array_equal(batch.target["mask"][0].numpy(), expected)


def test_a_patch_larger_than_the_image_is_filled_with_its_lowest_value_and_the_image_lies_in_it() -> None:
    batch = Feed(volumes(2, (2, 10, 12)), a_plan(patch=[6, 6, 8])).make(0)
    assert batch.inputs["image"].shape == (4, 1, 6, 6, 8)
    for image, case in zip(batch.inputs["image"], batch.cases, strict=True):
        low = 1e5 * int(case.removeprefix("case"))
        assert bool((image[:, :2] == image.min()).all())
        assert float(image.min()) >= low


@given(start=st.tuples(*[st.integers(-3, 3)] * 3), size=st.tuples(*[st.integers(1, 9)] * 3), kind=st.sampled_from("fu"))
def test_a_crop_has_its_size_and_holds_the_voxels_that_lie_inside(
    start: tuple[int, int, int], size: tuple[int, int, int], kind: str
) -> None:
    assume(all(s + n > 0 for s, n in zip(start, size, strict=True)))  # A patch always overlaps its image.
    array = (np.arange(4 * 5 * 6).reshape(4, 5, 6) + 1).astype("float32" if kind == "f" else "uint8")
    part = crop(array, start, size)
    assert part.shape == size
    for index in np.ndindex(*size):
        place = tuple(s + i for s, i in zip(start, index, strict=True))
        inside = all(0 <= p < n for p, n in zip(place, array.shape, strict=True))
        assert part[index] == (array[place] if inside else (1 if kind == "f" else 0))


def test_a_pack_keeps_every_array_and_leaves_no_file(tmp_path: Path) -> None:
    examples = [
        Example(a_case(n), {"image": np.full((1, 2, 3, 4), n, np.float32)}, {"mask": np.full((2, 3, 5), n, np.uint8)})
        for n in range(3)
    ]
    with Pack(tmp_path / "a.pack") as pack:
        for example in examples:
            pack.add(example)
        stored = pack.close()
    assert list(tmp_path.iterdir()) == []
    for example, one in zip(examples, stored, strict=True):
        assert one.case == example.case.id
        assert np.array_equal(one.arrays["input/image"], example.inputs["image"])
        assert np.array_equal(one.arrays["target/mask"], example.target["mask"])
        assert one.arrays["input/image"].dtype == np.float32


def test_a_pack_of_nothing_is_empty(tmp_path: Path) -> None:
    with Pack(tmp_path / "a.pack") as pack:
        pack.add(Example(a_case(), {}, {}))
        assert [dict(one.arrays) for one in pack.close()] == [{}]
    assert list(tmp_path.iterdir()) == []


def test_a_pack_that_fails_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(AttributeError), Pack(tmp_path / "a.pack") as pack:
        pack.add(Example(a_case(), {"image": "no array"}, {}))  # type: ignore[dict-item]
    assert list(tmp_path.iterdir()) == []


def test_generators_of_different_keys_differ_and_of_equal_keys_agree() -> None:
    assert generator(1, 2, 3).random() == generator(1, 2, 3).random()
    assert len({generator(1, *key).random() for key in ((2, 3), (3, 2), (2,), (2, 3, 0))}) >= 3
