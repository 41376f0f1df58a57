"""Runs of one grey level (Galloway 1975): of each direction, then the mean over the directions."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from diascope.features import Features, Ints, Region
from diascope.features.texture.emphasis import Sizes
from diascope.features.texture.neighbours import Neighbourhood


class Runs:
    """Lengths in voxels, whatever the spacing."""

    flat: bool | None = None
    units: Mapping[str, str] = MappingProxyType({})

    def measure(self, region: Region) -> dict[str, float]:
        near = Neighbourhood(region.levels)
        # A single voxel is one run, whichever way it is looked at.
        found = [_of_direction(_runs(near, step), near.places.size) for step in near.steps or (1,)]
        return {name: float(np.mean([one[name] for one in found])) for name in found[0]}


def _runs(near: Neighbourhood, step: int) -> Sizes:
    levels = near.levels
    at = near.places[levels[near.places - step] != levels[near.places]]
    lengths, greys = [], []
    length = 1
    while at.size:
        goes_on = levels[at + step] == levels[at]
        greys.append(levels[at[~goes_on]])
        lengths.append(np.full(greys[-1].size, length))
        at = at[goes_on] + step
        length += 1
    grey: Ints = np.concatenate(greys)
    return Sizes.of(grey, np.concatenate(lengths))


def _of_direction(runs: Sizes, voxels: int) -> dict[str, float]:
    by_grey, by_length = runs.non_uniformity(runs.grey), runs.non_uniformity(runs.size)
    return {
        "ShortRunEmphasis": runs.mean(0, -2),
        "LongRunEmphasis": runs.mean(0, 2),
        "GrayLevelNonUniformity": by_grey,
        "GrayLevelNonUniformityNormalized": by_grey / runs.total,
        "RunLengthNonUniformity": by_length,
        "RunLengthNonUniformityNormalized": by_length / runs.total,
        "RunPercentage": runs.total / voxels,
        "GrayLevelVariance": runs.variance(runs.grey),
        "RunVariance": runs.variance(runs.size),
        "RunEntropy": runs.entropy,
        "LowGrayLevelRunEmphasis": runs.mean(-2, 0),
        "HighGrayLevelRunEmphasis": runs.mean(2, 0),
        "ShortRunLowGrayLevelEmphasis": runs.mean(-2, -2),
        "ShortRunHighGrayLevelEmphasis": runs.mean(2, -2),
        "LongRunLowGrayLevelEmphasis": runs.mean(-2, 2),
        "LongRunHighGrayLevelEmphasis": runs.mean(2, 2),
    }


FEATURES: Features = Runs()
