"""Sums over a table of grey level and size (of runs, zones, dependences), which three groups of features share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from diascope.features import Floats, Ints

EPSILON = float(np.spacing(1))
"""Kept from PyRadiomics: the logarithm of an empty cell."""


@dataclass(frozen=True)
class Sizes:
    """How many runs (zones, ...) of each grey level and size there are.

    Args:
        grey: (K,) levels from 1.
        size: (K,) in voxels.
        count: (K,) above 0.
    """

    grey: Floats
    size: Floats
    count: Floats

    @classmethod
    def of(cls, grey: Ints, size: Ints) -> Sizes:
        """Counted from a list with one entry each."""
        pairs, count = np.unique(np.stack([grey, size]), axis=1, return_counts=True)
        return cls(pairs[0].astype(float), pairs[1].astype(float), count.astype(float))

    @property
    def total(self) -> float:
        """How many there are."""
        return float(self.count.sum())

    def mean(self, grey_power: int = 0, size_power: int = 0) -> float:
        """The mean of `grey ** grey_power * size ** size_power`."""
        return float((self.count * self.grey**grey_power * self.size**size_power).sum() / self.total)

    def variance(self, of: Floats) -> float:
        """Of `grey` or `size`."""
        share = self.count / self.total
        return float((share * (of - (share * of).sum()) ** 2).sum())

    def non_uniformity(self, of: Floats) -> float:
        """How unevenly all are spread over the grey levels or the sizes."""
        _, place = np.unique(of, return_inverse=True)
        return float((np.bincount(place, self.count) ** 2).sum() / self.total)

    @property
    def entropy(self) -> float:
        """In bits."""
        share = self.count / self.total
        return float(-(share * np.log2(share + EPSILON)).sum())
