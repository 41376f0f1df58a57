"""Every transform keeps the promises of its family: a new file is tested by existing."""

import numpy as np
import pytest
import torch

from diascope.core import registry
from diascope.core.geometry import Geometry

ALL = dict(registry.each("transforms"))
CASE = [name for name, transform in ALL.items() if transform.scope == "case"]
BATCH = [name for name, transform in ALL.items() if transform.scope == "batch"]
SHAPES = [(6, 8, 10), (1, 12, 9)]
PARAMS = {
    "resample": {"shape": (5, 6, 7)},
    "crop_pad": {"shape": (5, 9, 7)},
    "intensity": {"rule": "z-score"},
    "mirror": {"axes": (0, 1, 2)},
}
"""For transforms that do nothing, or are meaningless, without params."""


def a_batch(shape: tuple[int, int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    images = torch.randn((4, 2, *shape), generator=torch.Generator().manual_seed(0))
    return images, (images[:, :1] > 0).to(torch.uint8) * 3


@pytest.mark.parametrize("name", ALL)
def test_scope_is_known_and_documented(name: str) -> None:
    assert ALL[name].scope in ("case", "batch")
    assert "Params:" in (type(ALL[name]).__doc__ or "")


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", CASE)
def test_case_transforms_keep_image_and_mask_together(name: str, shape: tuple[int, int, int]) -> None:
    images, masks = a_batch(shape)
    before = images.clone(), masks.clone()
    geometry = Geometry.from_spacing((2.0, 1.0, 0.5))
    image, image_place = ALL[name].apply(images[0], geometry, PARAMS.get(name, {}), is_mask=False)
    mask, mask_place = ALL[name].apply(masks[0], geometry, PARAMS.get(name, {}), is_mask=True)
    assert image.shape[1:] == mask.shape[1:]
    assert image_place.is_close(mask_place)
    assert image.dtype == torch.float32
    assert mask.dtype == torch.uint8
    assert set(mask.unique().tolist()) <= {0, 3}
    assert torch.equal(images, before[0])
    assert torch.equal(masks, before[1])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", BATCH)
def test_augmentations_replay_and_change_only_what_was_drawn(name: str, shape: tuple[int, int, int]) -> None:
    images, masks = a_batch(shape)
    before = images.clone(), masks.clone()
    always = {"probability": 1.0, **PARAMS.get(name, {})}
    drawn = ALL[name].draw(np.random.default_rng(5), 4, shape, always)
    assert all(isinstance(value, np.ndarray) for value in drawn.values())
    image, mask = ALL[name].apply(images, masks, drawn)
    again, _ = ALL[name].apply(images, masks, drawn)
    assert torch.equal(image, again)
    assert not torch.equal(image, images)
    assert image.shape == images.shape
    assert mask.dtype == masks.dtype
    assert ALL[name].spatial or torch.equal(mask, masks)
    assert torch.equal(images, before[0])
    assert torch.equal(masks, before[1])


@pytest.mark.parametrize("name", BATCH)
def test_augmentations_with_probability_nought_do_nothing(name: str) -> None:
    images, masks = a_batch((4, 5, 6))
    never = {**PARAMS.get(name, {}), "probability": 0.0}
    drawn = ALL[name].draw(np.random.default_rng(5), 4, (4, 5, 6), never)
    image, mask = ALL[name].apply(images, masks, drawn)
    assert torch.equal(image, images)
    assert torch.equal(mask, masks)


@pytest.mark.parametrize("name", BATCH)
def test_augmentations_need_no_masks(name: str) -> None:
    images, _ = a_batch((4, 5, 6))
    drawn = ALL[name].draw(np.random.default_rng(5), 4, (4, 5, 6), PARAMS.get(name, {}))
    assert ALL[name].apply(images, None, drawn)[1] is None
