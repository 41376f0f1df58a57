import numpy as np
import pytest
import torch

from diascope.core.errors import BadUsage, UnknownName
from diascope.transforms.augmentation.recipe import apply, augment, draw


def a_batch(count: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    images = torch.randn((count, 1, 6, 8, 10), generator=generator)
    return images, (images > 0).to(torch.uint8)


def test_spatial_transforms_come_first_and_others_keep_their_order() -> None:
    recipe = [("noise", {}), ("mirror", {}), ("gamma", {}), ("affine_elastic", {})]
    names = [name for name, _ in draw(np.random.default_rng(0), 2, (4, 4, 4), recipe)]
    assert names == ["mirror", "affine_elastic", "noise", "gamma"]


def test_a_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    recipe = [("affine_elastic", {"probability": 1.0, "elastic": 1.0}), ("noise", {"probability": 1.0})]
    images, masks = a_batch()
    first, _ = augment(np.random.default_rng(3), images, masks, recipe)
    again, _ = augment(np.random.default_rng(3), images, masks, recipe)
    other, _ = augment(np.random.default_rng(4), images, masks, recipe)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_an_empty_recipe_changes_nothing() -> None:
    images, masks = a_batch()
    assert apply(images, masks, ()) == (images, masks)


def test_mistakes_are_named() -> None:
    with pytest.raises(BadUsage, match="no augmentation"):
        draw(np.random.default_rng(0), 1, (2, 2, 2), [("resample", {})])
    with pytest.raises(UnknownName, match="mirror"):
        draw(np.random.default_rng(0), 1, (2, 2, 2), [("mirrors", {})])
