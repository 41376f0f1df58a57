"""What is kept of a sliding window, on the grid of the image as it was read: labels, or the numbers themselves."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from diascope.core.errors import DiascopeError
from diascope.engine.windows import Rows, Shape

Reduce = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Scores (K, z, y, x) float32, not to be changed, to labels (z, y, x) uint8 and the probability of each."""


class Labels:
    """Labels of the original grid, and how sure the network was of each."""

    def __init__(self, shape: Shape, reduce: Reduce) -> None:
        self.found = np.zeros(shape, dtype=np.uint8)
        self.reduce = reduce
        self.counts, self.sums = np.zeros(256, dtype=np.int64), np.zeros(256)

    def take(self, scores: Tensor, uncovered: Tensor | None, part: list[Rows]) -> None:
        """Keep what is final of a part of the original grid; `uncovered` voxels were in no window."""
        labels, probability = self.reduce(scores)
        if uncovered is not None:
            labels = labels.masked_fill(uncovered, 0)
        self.found[*(slice(*rows) for rows in part)] = labels.numpy()
        _refuse_not_finite(probability, part)
        said = slice(None) if uncovered is None else ~uncovered.flatten()
        flat, sure = labels.flatten()[said].to(torch.int64), probability.flatten()[said]
        self.counts += torch.bincount(flat, minlength=256).numpy()
        self.sums += torch.bincount(flat, sure.double(), minlength=256).numpy()


class Values:
    """Numbers of the original grid, as they come."""

    def __init__(self, shape: Shape, layers: int) -> None:
        self.found = np.full((layers, *shape), np.nan, dtype=np.float32)

    def take(self, scores: Tensor, uncovered: Tensor | None, part: list[Rows]) -> None:
        """Keep what is final of a part of the original grid; `uncovered` voxels were in no window."""
        _refuse_not_finite(scores, part)
        self.found[:, *(slice(*rows) for rows in part)] = scores.numpy()


def _refuse_not_finite(numbers: Tensor, part: list[Rows]) -> None:
    if not torch.isfinite(numbers).all():
        raise DiascopeError(
            "the network gave scores that are not finite", given=f"original rows {part}", todo="Train it again"
        )
