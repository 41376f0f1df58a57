"""Each filter does what its name says, in units of the image, and refuses what it does not take."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from diascope.core import registry
from diascope.core.errors import BadUsage, UnknownName
from diascope.core.geometry import Geometry
from diascope.planning.preprocessing import filter_names

FILTERS = filter_names()
NOWHERE = Geometry.unknown()


def by(name: str, image: np.ndarray, **params: Any) -> np.ndarray:
    transform = registry.get("transforms", name)
    array = np.asarray(image, np.float32)
    volume = torch.from_numpy(array[None, None] if array.ndim == 2 else array[None])
    found: torch.Tensor = transform.apply(volume, NOWHERE, params, False)[0]
    return found.numpy()[0, 0] if array.ndim == 2 else found.numpy()[0]


def noisy(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Two halves, 100 and 300, with noise of 10."""
    image = np.full(shape, 100.0)
    image[..., shape[-1] // 2 :] = 300
    return image + np.random.default_rng(seed).normal(0, 10, shape)


def test_these_are_the_filters() -> None:
    assert FILTERS == [
        "bilateral", "clahe", "histogram_equalisation", "median", "n4", "non_local_means", "unsharp_mask",
    ]  # fmt: skip


@pytest.mark.parametrize("shape", [(40, 48), (12, 20, 24)], ids=["picture", "volume"])
@pytest.mark.parametrize("name", ["median", "bilateral", "non_local_means"])
def test_noise_goes_and_the_edge_stays(name: str, shape: tuple[int, ...]) -> None:
    image = noisy(shape)
    found = by(name, image)
    left = (Ellipsis, slice(2, shape[-1] // 2 - 2))
    assert found[left].std() < 0.7 * image[left].std()
    middle = shape[-1] // 2
    step = found[..., middle].mean() - found[..., middle - 1].mean()
    assert step > 180  # of 200


def test_a_single_bright_voxel_is_gone_after_the_median() -> None:
    image = np.zeros((5, 9, 9))
    image[2, 4, 4] = 1000
    assert by("median", image).max() == 0
    assert by("median", image, size=[1, 1, 3]).max() == 0
    assert by("median", image, size=1).max() == 1000


def test_sizes_along_axes_are_those_of_z_y_x() -> None:
    image = np.zeros((5, 7, 9))
    image[:, 3, 4] = 1  # a line along z
    assert by("median", image, size=[3, 1, 1]).sum() == 5
    assert by("median", image, size=[1, 3, 1]).sum() == 0
    assert by("median", image[0], size=[9, 1, 1]).sum() == 1  # a picture has no z


def test_unsharp_mask_raises_the_step_of_an_edge() -> None:
    image = noisy((10, 40))
    before, after = (np.ptp(one.mean(axis=0)) for one in (image, by("unsharp_mask", image, amount=2.0)))
    assert after > 1.2 * before
    assert by("unsharp_mask", image, amount=0.0) == pytest.approx(image, rel=1e-6)


@pytest.mark.parametrize("name", ["histogram_equalisation", "clahe"])
@pytest.mark.parametrize("shape", [(40, 48), (12, 20, 24)], ids=["picture", "volume"])
def test_contrast_is_spread_between_the_same_ends(name: str, shape: tuple[int, ...]) -> None:
    image = np.random.default_rng(0).gamma(0.5, 2.0, shape) - 1
    found = by(name, image)
    assert (found.min(), found.max()) == pytest.approx((image.min(), image.max()), abs=1e-4)
    share = (np.median(found) - found.min()) / np.ptp(found)
    assert share > 3 * (np.median(image) - image.min()) / np.ptp(image)


def test_equal_shares_of_an_equalised_image_lie_in_equal_parts_of_its_range() -> None:
    found = by("histogram_equalisation", np.random.default_rng(0).exponential(1.0, (64, 64)))
    counts, _ = np.histogram(found, bins=4, range=(found.min(), found.max()))
    assert counts / found.size == pytest.approx([0.25] * 4, abs=0.02)


@pytest.mark.parametrize("shape", [(64, 64), (24, 40, 40)], ids=["picture", "volume"])
def test_n4_takes_a_slow_change_of_brightness_away(shape: tuple[int, ...]) -> None:
    tissue = np.where(np.random.default_rng(0).random(shape) < 0.5, 100.0, 130.0)
    field = np.broadcast_to(np.exp(np.linspace(-0.4, 0.4, shape[-1])), shape)
    background = np.zeros(shape, bool)
    background[..., :4, :] = True
    found = by("n4", np.where(background, 0, tissue * field), shrink=2)
    inside = ~background
    spread = [np.std(np.log(one[inside] / tissue[inside])) for one in (tissue * field, found)]
    assert spread[1] < 0.3 * spread[0]
    assert not found[background].any()


@pytest.mark.parametrize("name", FILTERS)
def test_a_constant_image_stays_as_it_is_and_the_same_image_gives_the_same_bits(name: str) -> None:
    assert (by(name, np.full((4, 6, 6), 7.0)) == 7).all()
    image = noisy((8, 12, 12))
    assert by(name, image).tobytes() == by(name, image).tobytes()


@pytest.mark.parametrize("name", FILTERS)
def test_each_channel_is_filtered_by_itself(name: str) -> None:
    transform = registry.get("transforms", name)
    volume = torch.from_numpy(np.stack([noisy((6, 10, 12), 1), 5 * noisy((6, 10, 12), 2)]).astype(np.float32))
    both, _ = transform.apply(volume, NOWHERE, {}, False)
    for channel in range(2):
        alone, _ = transform.apply(volume[channel : channel + 1], NOWHERE, {}, False)
        assert torch.equal(both[channel : channel + 1], alone)


@pytest.mark.parametrize("depth", [3, 4])
def test_a_thin_volume_is_not_taken_for_a_picture_in_colour(depth: int) -> None:
    image = np.random.default_rng(0).gamma(0.5, 2.0, (24, 20, depth))
    turned = by("clahe", np.moveaxis(image, 2, 0))
    assert by("clahe", image) == pytest.approx(np.moveaxis(turned, 0, 2), abs=1e-6)


@pytest.mark.parametrize("name", FILTERS)
def test_its_parameters_are_complete_and_said_with_units(name: str) -> None:
    transform = registry.get("transforms", name)
    settled = transform.settled({})
    assert transform.settled(settled) == settled
    for parameter in settled:
        assert parameter in transform.words(settled)
        assert f"`{parameter}`" in type(transform).__doc__
    assert f"{transform.when} the intensity rule" in transform.words(settled)


@pytest.mark.parametrize(
    ("name", "params", "words"),
    [
        ("median", {"size": 4}, "an odd whole number from 1 to 15, or three of them"),
        ("median", {"size": [3, 3]}, "'size' of the filter median takes"),
        ("median", {"size": True}, "takes an odd"),
        ("clahe", {"clip": 0}, "a number from 0.0001 to 1"),
        ("clahe", {"clip": "much"}, "a number from"),
        ("n4", {"levels": 2.5}, "a whole number from 1 to 6"),
        ("bilateral", {"sigma": [1, 1, 1]}, "a number from 0.3 to 8"),
    ],
)
def test_a_value_out_of_range_is_refused_with_what_is_taken(name: str, params: dict[str, Any], words: str) -> None:
    with pytest.raises(BadUsage, match=words):
        registry.get("transforms", name).settled(params)


def test_an_unknown_parameter_names_the_closest() -> None:
    with pytest.raises(UnknownName, match=r"no parameter of the filter clahe named 'clipp'.*Did you mean 'clip'"):
        registry.get("transforms", "clahe").settled({"clipp": 0.1})


def test_neighbouring_slices_become_channels_and_the_ends_come_again() -> None:
    volume = torch.arange(4.0)[None, :, None, None] + torch.tensor([0.0, 10.0])[:, None, None, None]
    found, place = registry.get("transforms", "slices").apply(volume, NOWHERE, {"count": 5}, False)
    assert place is NOWHERE
    assert found[:, 0, 0, 0].tolist() == [0, 10, 0, 10, 1, 11, 0, 10, 2, 12]
    assert found[::2, 3, 0, 0].tolist() == [3, 2, 3, 1, 3]
    mask = torch.ones(1, 4, 1, 1, dtype=torch.uint8)
    assert registry.get("transforms", "slices").apply(mask, NOWHERE, {"count": 5}, True)[0] is mask
    with pytest.raises(BadUsage, match="odd number"):
        registry.get("transforms", "slices").apply(volume, NOWHERE, {"count": 2}, False)
