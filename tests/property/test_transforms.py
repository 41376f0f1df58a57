"""Laws of transforms."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from diascope.core import registry
from diascope.core.geometry import Geometry
from diascope.planning.preprocessing import filter_names
from diascope.transforms.augmentation.recipe import apply, draw
from diascope.transforms.crop_pad import TRANSFORM as CROP
from diascope.transforms.mirror import TRANSFORM as MIRROR
from diascope.transforms.resample import TRANSFORM as RESAMPLE

sizes = st.tuples(*[st.integers(1, 9)] * 3)
larger = st.tuples(*[st.integers(6, 14)] * 3)
seeds = st.integers(0, 2**16)
QUICK = settings(max_examples=30, deadline=None)

RECIPE = [
    ("affine_elastic", {"probability": 0.5, "elastic": 1.0, "distance": 4.0, "translation": 1.0, "shear": 0.1}),
    ("mirror", {"axes": (0, 1, 2)}),
    ("noise", {"probability": 0.5}),
    ("blur", {"probability": 0.5}),
    ("low_resolution", {"probability": 0.5}),
    ("brightness_contrast", {"probability": 0.5}),
    ("gamma", {"probability": 0.5}),
]


def a_batch(seed: int, shape: tuple[int, int, int], count: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn((count, 1, *shape), generator=generator)
    return images, torch.randint(0, 4, (count, 1, *shape), generator=generator).to(torch.int16) * 7


def an_oblique_geometry(seed: int) -> Geometry:
    rng = np.random.default_rng(seed)
    directions = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    z, y, x = rng.uniform(0.5, 4, 3)
    a, b, c = rng.uniform(-100, 100, 3)
    return Geometry.from_spacing((z, y, x), (a, b, c), directions)


@QUICK
@given(seeds, sizes)
def test_flip_after_flip_is_identity(seed: int, shape: tuple[int, int, int]) -> None:
    images, masks = a_batch(seed, shape)
    flips = MIRROR.draw(np.random.default_rng(seed), len(images), shape, {"axes": (0, 1, 2)})
    twice = MIRROR.apply(*MIRROR.apply(images, masks, flips), flips)
    assert torch.equal(twice[0], images)
    assert torch.equal(twice[1], masks)


@QUICK
@given(seeds, sizes)
def test_resampling_to_the_same_grid_is_identity(seed: int, shape: tuple[int, int, int]) -> None:
    images, _ = a_batch(seed, shape, count=1)
    geometry = an_oblique_geometry(seed)
    for params in ({"shape": shape}, {"spacing": geometry.spacing}):
        same, where = RESAMPLE.apply(images[0], geometry, params, is_mask=False)
        assert torch.equal(same, images[0])
        assert where.is_close(geometry)


@QUICK
@given(seeds, larger, larger, sizes)
def test_a_landmark_stays_at_its_millimetres_through_crop_resample_and_uncrop(
    seed: int, shape: tuple[int, int, int], cropped: tuple[int, int, int], new: tuple[int, int, int]
) -> None:
    """The image is a linear function of the place, so that every voxel tells where it is."""
    geometry = an_oblique_geometry(seed)
    slope = np.random.default_rng(seed).normal(size=3)

    def field(where: Geometry, size: tuple[int, ...]) -> torch.Tensor:
        place = where.to_mm(np.moveaxis(np.indices(size), 0, -1))
        return torch.from_numpy((place @ slope).astype(np.float32))[None]

    smaller = tuple(min(a, b) for a, b in zip(shape, cropped, strict=True))
    start = [(a - b) // 2 for a, b in zip(shape, smaller, strict=True)]
    volume, here = CROP.apply(field(geometry, shape), geometry, {"shape": smaller}, is_mask=False)
    assert torch.allclose(volume, field(here, smaller), atol=1e-2)
    bigger = tuple(2 * size for size in smaller)
    fine, there = RESAMPLE.apply(volume, here, {"shape": bigger, "order": 1}, is_mask=False)
    inside = (slice(None), *[slice(1, -1)] * 3)
    assert torch.allclose(fine[inside], field(there, bigger)[inside], atol=1e-2)
    _, back = RESAMPLE.apply(fine, there, {"shape": smaller}, is_mask=False)
    uncrop = {"shape": shape, "start": [-s for s in start]}
    whole, last = CROP.apply(volume, back, uncrop, is_mask=False)
    assert last.is_close(geometry)
    box = (slice(None), *[slice(s, s + size) for s, size in zip(start, smaller, strict=True)])
    assert torch.equal(whole[box], volume)


@QUICK
@given(seeds, sizes)
def test_replaying_a_draw_gives_the_same_bytes(seed: int, shape: tuple[int, int, int]) -> None:
    images, masks = a_batch(seed, shape)
    before = images.clone(), masks.clone()
    drawn = draw(np.random.default_rng(seed), len(images), shape, RECIPE)
    first, again = apply(images, masks, drawn), apply(images, masks, drawn)
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert torch.equal(images, before[0])
    assert torch.equal(masks, before[1])


@QUICK
@given(seeds, sizes, sizes)
def test_masks_keep_their_labels_and_everything_its_type(
    seed: int, shape: tuple[int, int, int], new: tuple[int, int, int]
) -> None:
    images, masks = a_batch(seed, shape)
    moved, labels = apply(images, masks, draw(np.random.default_rng(seed), len(images), shape, RECIPE))
    assert labels is not None
    assert moved.dtype == torch.float32
    assert moved.shape == images.shape
    assert torch.isfinite(moved).all()
    assert labels.dtype == masks.dtype
    assert set(labels.unique().tolist()) <= set(masks.unique().tolist())
    resampled, _ = RESAMPLE.apply(masks[0], Geometry.unknown(), {"shape": new}, is_mask=True)
    assert resampled.dtype == masks.dtype
    assert set(resampled.unique().tolist()) <= set(masks[0].unique().tolist())


@pytest.mark.parametrize("order", [0, 1, 3])
@QUICK
@given(seeds, sizes, sizes)
def test_resampling_a_constant_gives_the_constant(
    order: int, seed: int, shape: tuple[int, int, int], new: tuple[int, int, int]
) -> None:
    value = float(np.random.default_rng(seed).uniform(-1000, 3000))
    constant = torch.full((1, *shape), value)
    same, _ = RESAMPLE.apply(constant, Geometry.unknown(), {"shape": new, "order": order}, is_mask=False)
    assert torch.allclose(same, torch.tensor(value), rtol=1e-5)


@settings(max_examples=14, deadline=None)
@given(seeds, st.tuples(st.integers(1, 6), st.integers(3, 9), st.integers(3, 9)), st.sampled_from(filter_names()))
def test_filters_keep_the_grid_and_leave_masks_alone(seed: int, shape: tuple[int, int, int], name: str) -> None:
    """Also of images smaller than what a filter looks at; and their values stay finite."""
    images, masks = a_batch(seed, shape, count=1)
    geometry, transform = an_oblique_geometry(seed), registry.get("transforms", name)
    before = images.clone()
    changed, where = transform.apply(images[0], geometry, transform.settled({}), is_mask=False)
    assert torch.equal(images, before)
    assert changed.shape == images[0].shape
    assert where.is_close(geometry)
    assert bool(torch.isfinite(changed).all())
    kept, there = transform.apply(masks[0], geometry, transform.settled({}), is_mask=True)
    assert torch.equal(kept, masks[0])
    assert there.is_close(geometry)


@QUICK
@given(seeds, larger, st.sampled_from([(0, 1, 2), (2, 0, 1), (1, 2, 0)]), st.tuples(*[st.booleans()] * 3))
def test_a_median_follows_its_image_through_any_turn(
    seed: int, shape: tuple[int, int, int], order: tuple[int, int, int], flips: tuple[bool, bool, bool]
) -> None:
    """The same along all axes: what is turned and then filtered is what is filtered and then turned."""
    image, geometry = a_batch(seed, shape, count=1)[0][0], Geometry.unknown()
    transform = registry.get("transforms", "median")

    def turned(volume: torch.Tensor) -> torch.Tensor:
        dims = [axis + 1 for axis in range(3) if flips[axis]]
        return volume.permute(0, *(axis + 1 for axis in order)).flip(dims).contiguous()

    one = transform.apply(turned(image), geometry, {}, is_mask=False)[0]
    assert torch.equal(one, turned(transform.apply(image, geometry, {}, is_mask=False)[0]))


@QUICK
@given(seeds, larger, st.sampled_from([1, 3, 5]))
def test_neighbouring_slices_are_the_slices_themselves(seed: int, shape: tuple[int, int, int], count: int) -> None:
    image = a_batch(seed, shape, count=1)[0][0]
    found, _ = registry.get("transforms", "slices").apply(image, Geometry.unknown(), {"count": count}, is_mask=False)
    assert torch.equal(found[:1], image)
    for number in range(1, count):
        step = (number + 1) // 2 * (-1 if number % 2 else 1)
        inner = slice(count, shape[0] - count)
        assert torch.equal(found[number, inner], image[0].roll(-step, dims=0)[inner])
