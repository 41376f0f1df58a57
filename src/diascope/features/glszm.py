"""Zones of one grey level that hang together, corners included (Thibault 2009)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from skimage.measure import label

from diascope.features import Features, Region
from diascope.features.texture.emphasis import Sizes


class Zones:
    """Sizes in voxels, whatever the spacing."""

    flat: bool | None = None
    units: Mapping[str, str] = MappingProxyType({})

    def measure(self, region: Region) -> dict[str, float]:
        zones_of = label(region.levels, background=0, connectivity=3)  # type: ignore[no-untyped-call]
        numbered = zones_of[region.mask]
        _, first, size = np.unique(numbered, return_index=True, return_counts=True)
        zones = Sizes.of(region.levels[region.mask][first], size)
        by_grey, by_size = zones.non_uniformity(zones.grey), zones.non_uniformity(zones.size)
        return {
            "SmallAreaEmphasis": zones.mean(0, -2),
            "LargeAreaEmphasis": zones.mean(0, 2),
            "GrayLevelNonUniformity": by_grey,
            "GrayLevelNonUniformityNormalized": by_grey / zones.total,
            "SizeZoneNonUniformity": by_size,
            "SizeZoneNonUniformityNormalized": by_size / zones.total,
            "ZonePercentage": zones.total / numbered.size,
            "GrayLevelVariance": zones.variance(zones.grey),
            "ZoneVariance": zones.variance(zones.size),
            "ZoneEntropy": zones.entropy,
            "LowGrayLevelZoneEmphasis": zones.mean(-2, 0),
            "HighGrayLevelZoneEmphasis": zones.mean(2, 0),
            "SmallAreaLowGrayLevelEmphasis": zones.mean(-2, -2),
            "SmallAreaHighGrayLevelEmphasis": zones.mean(2, -2),
            "LargeAreaLowGrayLevelEmphasis": zones.mean(-2, 2),
            "LargeAreaHighGrayLevelEmphasis": zones.mean(2, 2),
        }


FEATURES: Features = Zones()
