"""How many neighbours of a voxel have its grey level (dependences; Sun and Wee 1983)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from diascope.features import Features, Region
from diascope.features.texture.emphasis import Sizes
from diascope.features.texture.neighbours import Neighbourhood


class Dependences:
    """A voxel counts as a neighbour of itself."""

    flat: bool | None = None
    units: Mapping[str, str] = MappingProxyType({})

    def measure(self, region: Region) -> dict[str, float]:
        near = Neighbourhood(region.levels)
        grey = near.levels[near.places]
        alike = np.ones(grey.size, np.int64)
        for step in near.all_steps:
            alike += near.levels[near.places + step] == grey
        found = Sizes.of(grey, alike)
        by_size = found.non_uniformity(found.size)
        return {
            "SmallDependenceEmphasis": found.mean(0, -2),
            "LargeDependenceEmphasis": found.mean(0, 2),
            "GrayLevelNonUniformity": found.non_uniformity(found.grey),
            "DependenceNonUniformity": by_size,
            "DependenceNonUniformityNormalized": by_size / found.total,
            "GrayLevelVariance": found.variance(found.grey),
            "DependenceVariance": found.variance(found.size),
            "DependenceEntropy": found.entropy,
            "LowGrayLevelEmphasis": found.mean(-2, 0),
            "HighGrayLevelEmphasis": found.mean(2, 0),
            "SmallDependenceLowGrayLevelEmphasis": found.mean(-2, -2),
            "SmallDependenceHighGrayLevelEmphasis": found.mean(2, -2),
            "LargeDependenceLowGrayLevelEmphasis": found.mean(-2, 2),
            "LargeDependenceHighGrayLevelEmphasis": found.mean(2, 2),
        }


FEATURES: Features = Dependences()
