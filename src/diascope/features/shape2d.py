"""Size and form of a region in a plane, by its pixels and by the line around it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from scipy.spatial.distance import pdist
from skimage.measure import find_contours

from diascope.features import Features, Region
from diascope.features.shape import axes


class FlatShape:
    """Of images with one slice."""

    flat: bool | None = True
    units: Mapping[str, str] = MappingProxyType(
        {**dict.fromkeys(("MajorAxisLength", "MinorAxisLength", "MaximumDiameter", "Perimeter"), "mm")}
        | {"MeshSurface": "mm2", "PixelSurface": "mm2", "PerimeterSurfaceRatio": "/mm"}
    )

    def measure(self, region: Region) -> dict[str, float]:
        spacing = region.spacing[1:]
        mask = region.mask[0]
        around = find_contours(np.pad(mask, 1).astype(float), 0.5)  # type: ignore[no-untyped-call]
        lines = [line * spacing for line in around]
        # Holes run the other way round: their area counts as negative.
        area = abs(sum(float(np.sum(line[:-1, 0] * line[1:, 1] - line[1:, 0] * line[:-1, 1])) for line in lines)) / 2
        length = sum(float(np.linalg.norm(np.diff(line, axis=0), axis=1).sum()) for line in lines)
        major, minor = axes(mask, spacing)
        return {
            "PixelSurface": float(mask.sum() * np.prod(spacing)),
            "MeshSurface": area,
            "Perimeter": length,
            "PerimeterSurfaceRatio": length / area,
            "Sphericity": float(2 * np.sqrt(np.pi * area) / length),
            "MaximumDiameter": float(pdist(np.concatenate(lines)).max()),
            "MajorAxisLength": major,
            "MinorAxisLength": minor,
            "Elongation": minor / major if major > 0 else np.nan,
        }


FEATURES: Features = FlatShape()
