"""How augmentations draw, and how they change only those examples that were drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from diascope.transforms.resampling.volume import along

SMALLEST_STD = 1e-7
"""A constant channel becomes 0."""

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


def chance(rng: np.random.Generator, count: int, probability: float) -> Bools:
    """(count,) which examples are changed."""
    return rng.random(count) < probability


def between(rng: np.random.Generator, count: int, ends: Sequence[float]) -> Floats:
    """(count,) uniform between the two ends."""
    return rng.uniform(ends[0], ends[1], count)


def where_drawn(images: Tensor, on: Bools, change: Callable[[Tensor, npt.NDArray[np.intp]], Tensor]) -> Tensor:
    """Change some examples of a batch.

    Args:
        images: (B, ...).
        on: (B,) which ones.
        change: Gets those examples and their indices, gives them changed.

    Returns:
        A new batch; the same tensor where none is changed.
    """
    rows = np.flatnonzero(on)
    if not len(rows):
        return images
    index = torch.from_numpy(rows).to(images.device)
    return images.index_copy(0, index, change(images[index], rows).to(images.dtype))


def along_each(images: Tensor, matrices: Sequence[Sequence[npt.NDArray[Any] | None]]) -> Tensor:
    """Multiply the axes (z, y, x) of each example (B, C, Z, Y, X) with square matrices of its own."""
    changed = [
        along(image, [None if m is None else torch.from_numpy(m.astype(np.float32)).to(image.device) for m in mine])
        for image, mine in zip(images, matrices, strict=True)
    ]
    return torch.stack(changed)


def standardised(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Each channel of (B, C, Z, Y, X) with mean 0 and deviation 1; and its mean and deviation (B, C, 1, 1, 1)."""
    space = (2, 3, 4)
    mean = images.mean(dim=space, keepdim=True)
    centred = images - mean
    # torch.std takes twenty times as long as this on the CPU.
    std = torch.linalg.vector_norm(centred, dim=space, keepdim=True) / images[0, 0].numel() ** 0.5
    return centred / std.clamp(min=SMALLEST_STD), mean, std


def per_example(values: Floats, like: Tensor) -> Tensor:
    """(B,) numbers as (B, 1, 1, 1, 1), to be multiplied with images."""
    return torch.from_numpy(values).to(like).reshape(-1, 1, 1, 1, 1)
