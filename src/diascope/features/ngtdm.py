"""How far a voxel's grey level is from the mean of its neighbours (Amadasun and King 1989)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from diascope.features import Features, Region
from diascope.features.texture.neighbours import Neighbourhood

COARSEST = 1e6
"""Coarseness where no voxel differs from its neighbours (as in PyRadiomics)."""


class Differences:
    """Voxels without a neighbour in the region do not count."""

    flat: bool | None = None
    units: Mapping[str, str] = MappingProxyType({})

    def measure(self, region: Region) -> dict[str, float]:
        near = Neighbourhood(region.levels)
        own = near.levels[near.places]
        count, total = np.zeros(own.size), np.zeros(own.size)
        for step in near.all_steps:
            other = near.levels[near.places + step]
            count += other > 0
            total += other
        there = count > 0
        if not there.any():
            return {"Coarseness": COARSEST, "Contrast": 0.0, "Busyness": 0.0, "Complexity": 0.0, "Strength": 0.0}
        grey, place = np.unique(own[there], return_inverse=True)
        apart = np.bincount(place, np.abs(own[there] - total[there] / count[there]))
        voxels = int(there.sum())
        p, i = np.bincount(place) / voxels, grey.astype(float)
        rough, steps = float((p * apart).sum()), i[:, None] - i
        busy = float(np.abs((i * p)[:, None] - i * p).sum())
        levels = grey.size
        spread = float((np.outer(p, p) * steps**2).sum()) / (levels * (levels - 1)) if levels > 1 else 0.0
        shares = p[:, None] + p
        unlike = np.abs(steps) * ((p * apart)[:, None] + p * apart) / shares
        return {
            "Coarseness": 1 / rough if rough > 0 else COARSEST,
            "Contrast": spread * float(apart.sum()) / voxels,
            "Busyness": rough / busy if busy > 0 else 0.0,
            "Complexity": float(unlike.sum()) / voxels,
            "Strength": float((shares * steps**2).sum() / apart.sum()) if apart.sum() > 0 else 0.0,
        }


FEATURES: Features = Differences()
