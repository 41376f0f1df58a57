"""Neighbouring voxels of a region, as steps in a flat array with a border of zeros."""

from __future__ import annotations

from itertools import product

import numpy as np

from diascope.features import Ints


class Neighbourhood:
    """The levels of a region with one voxel of border, flat.

    Args:
        levels: (Z, Y, X), 0 outside.
    """

    def __init__(self, levels: Ints) -> None:
        padded = np.pad(levels, 1)
        self.levels: Ints = padded.reshape(-1)
        self.places: Ints = np.flatnonzero(self.levels)
        self._strides = (padded.shape[1] * padded.shape[2], padded.shape[2], 1)
        self._sides = levels.shape

    @property
    def steps(self) -> tuple[int, ...]:
        """One way along each of the directions (13 in space, 4 in a plane) in which the box is wider than a voxel."""
        found = []
        for way in product((-1, 0, 1), repeat=3):
            there = all(side > 1 for part, side in zip(way, self._sides, strict=True) if part)
            if way > (0, 0, 0) and there:
                found.append(sum(part * stride for part, stride in zip(way, self._strides, strict=True)))
        return tuple(found)

    @property
    def all_steps(self) -> tuple[int, ...]:
        """Both ways."""
        return (*self.steps, *(-step for step in self.steps))
