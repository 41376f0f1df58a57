"""A recipe: named augmentations with their params, drawn together and applied together, spatial ones first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from diascope.core import registry
from diascope.core.errors import BadUsage
from diascope.transforms import BatchTransform, Params

Recipe = Sequence[tuple[str, Mapping[str, Any]]]
"""Names of files in `transforms/` with scope `batch`, each with its params."""


def draw(
    rng: np.random.Generator, count: int, shape: tuple[int, int, int], recipe: Recipe
) -> tuple[tuple[str, Params], ...]:
    """What will be done to `count` examples of (Z, Y, X) `shape`: name and draw, in the order of application."""
    found = [(name, _find(name), params) for name, params in recipe]
    ordered = sorted(found, key=lambda entry: not entry[1].spatial)
    return tuple((name, transform.draw(rng, count, shape, params)) for name, transform, params in ordered)


def apply(images: Tensor, masks: Tensor | None, drawn: Sequence[tuple[str, Params]]) -> tuple[Tensor, Tensor | None]:
    """Apply what `draw` gave to images (B, C, Z, Y, X) float32 and masks (B, K, Z, Y, X) integers."""
    for name, params in drawn:
        images, masks = _find(name).apply(images, masks, params)
    return images, masks


def augment(
    rng: np.random.Generator, images: Tensor, masks: Tensor | None, recipe: Recipe
) -> tuple[Tensor, Tensor | None]:
    """Draw and apply.

    Args:
        rng: Where the draws come from.
        images: (B, C, Z, Y, X) float32.
        masks: (B, K, Z, Y, X) integers on the same grid, or None.
        recipe: What may be done; spatial transforms come first whatever the order.

    Returns:
        New images and masks of the same shapes and dtypes.
    """
    z, y, x = images.shape[2:]
    return apply(images, masks, draw(rng, len(images), (z, y, x), recipe))


def _find(name: str) -> BatchTransform:
    transform: BatchTransform = registry.get("transforms", name)
    if transform.scope != "batch":
        raise BadUsage(f"the transform {name!r} is no augmentation", given=f"scope {transform.scope!r}")
    return transform
