"""Size and form of a region in space, by its voxels and by the mesh around it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist
from skimage.measure import marching_cubes

from diascope.features import Features, Flags, Floats, Ints, Region

LENGTHS = (
    *("LeastAxisLength", "MajorAxisLength", "MinorAxisLength", "Maximum3DDiameter"),
    *("Maximum2DDiameterColumn", "Maximum2DDiameterRow", "Maximum2DDiameterSlice"),
)
PLANES = MappingProxyType({"Slice": 0, "Column": 1, "Row": 2})
"""Plane in which a diameter is measured, and the axis that stands on it."""


class Shape:
    """Of volumes."""

    flat: bool | None = False
    units: Mapping[str, str] = MappingProxyType(
        {**dict.fromkeys(LENGTHS, "mm"), "MeshVolume": "mm3", "VoxelVolume": "mm3", "SurfaceArea": "mm2"}
        | {"SurfaceVolumeRatio": "/mm"}
    )

    def measure(self, region: Region) -> dict[str, float]:
        points, faces = _mesh(region.mask, region.spacing)
        corners = points[faces]
        across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        area = float(np.linalg.norm(across, axis=1).sum() / 2)
        volume = float(abs(np.einsum("ij,ij->i", corners[:, 0], across).sum()) / 6)
        major, minor, least = axes(region.mask, region.spacing)
        return {
            "VoxelVolume": float(region.mask.sum() * np.prod(region.spacing)),
            "MeshVolume": volume,
            "SurfaceArea": area,
            "SurfaceVolumeRatio": area / volume,
            "Sphericity": float((36 * np.pi * volume**2) ** (1 / 3) / area),
            "Maximum3DDiameter": float(pdist(points[ConvexHull(points).vertices]).max()),
            **{
                f"Maximum2DDiameter{name}": _in_planes(points, axis, region.spacing[axis])
                for name, axis in PLANES.items()
            },
            "MajorAxisLength": major,
            "MinorAxisLength": minor,
            "LeastAxisLength": least,
            "Elongation": minor / major if major > 0 else np.nan,
            "Flatness": least / major if major > 0 else np.nan,
        }


def axes(mask: Flags, spacing: tuple[float, ...]) -> Floats:
    """Lengths (mm) of the axes of the ellipsoid with the region's second moments, the longest first."""
    places = np.argwhere(mask) * np.array(spacing)
    centred = (places - places.mean(axis=0)) / np.sqrt(len(places))
    return np.asarray(4 * np.sqrt(np.maximum(np.linalg.eigvalsh(centred.T @ centred), 0))[::-1], float)


def _mesh(mask: Flags, spacing: tuple[float, float, float]) -> tuple[Floats, Ints]:
    """Points (P, 3) in mm and triangles (F, 3) around the voxels, half way to those outside."""
    padded = np.pad(mask, 1).astype(np.float32)
    points, faces, _, _ = marching_cubes(padded, 0.5, spacing=spacing, method="lorensen")  # type: ignore[no-untyped-call]
    return points.astype(np.float64), faces.astype(np.int64)


def _in_planes(points: Floats, axis: int, step: float) -> float:
    """The longest distance of two points of the mesh in one plane (they lie at halves of a voxel)."""
    number = np.rint(2 * points[:, axis] / step)
    rest = np.delete(points, axis, axis=1)
    longest = 0.0
    for plane in np.unique(number):
        inside = rest[number == plane]
        if len(inside) > 1:
            longest = max(longest, float(pdist(_ends(inside)).max()))
    return longest


def _ends(points: Floats) -> Floats:
    """Of points (P, 2) the first and last of each row: no other can be farthest apart."""
    order = np.lexsort((points[:, 1], np.round(points[:, 0], 6)))
    sorted_, row = points[order], np.round(points[order, 0], 6)
    starts = np.flatnonzero(np.r_[True, row[1:] != row[:-1]])
    stops = np.r_[starts[1:], len(row)] - 1
    return np.asarray(sorted_[np.unique(np.r_[starts, stops])], float)


FEATURES: Features = Shape()
