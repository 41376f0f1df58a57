"""Radiomics: each module measures one group of features of a region, called and defined as in PyRadiomics.

Source: van Griethuysen et al., Cancer Research 77 (2017) e104; Zwanenburg et al. (IBSI), Radiology 295 (2020) 328.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from diascope.core.errors import BadUsage, DataRefused

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
MOST_LEVELS = 1000
"""Grey levels that a region may have: co-occurrence tables grow with their square."""


@dataclass(frozen=True)
class Bins:
    """How grey values become levels: either the width of each, or their number.

    Args:
        width: In the image's unit; the same values are the same level in every image (for units that mean something).
        count: Levels from a region's least to its highest value (for units that differ from image to image).
    """

    width: float | None = None
    count: int | None = None

    def __post_init__(self) -> None:
        if (self.width is None) == (self.count is None):
            raise BadUsage("levels are set by their width or by their number", given=f"{self.width}, {self.count}")
        if (self.width is not None and not self.width > 0) or (self.count is not None and self.count < 2):
            raise BadUsage("a width above 0 or at least 2 levels are needed", given=f"{self.width}, {self.count}")

    def levels(self, values: Floats) -> Ints:
        """Values (N,) as levels (N,), the lowest is 1.

        Raises:
            DataRefused: When there were more than `MOST_LEVELS`.
        """
        low, high = float(values.min()), float(values.max())
        if self.width is not None:
            low -= low % self.width
            levels = np.floor((values - low) / self.width).astype(np.int64) + 1
        elif self.count is None or high == low:
            levels = np.ones(values.shape, np.int64)
        else:
            scaled = (values - low) / (high - low) * self.count
            levels = np.minimum(np.floor(scaled).astype(np.int64), self.count - 1) + 1
        if levels.max() > MOST_LEVELS:
            raise DataRefused(
                f"grey values from {low:g} to {high:g} make {levels.max()} levels",
                given=f"levels of {self.width:g}",
                todo=f"Make them wider, or ask for a number of them; at most {MOST_LEVELS} are compared",
            )
        return levels


@dataclass(frozen=True)
class Region:
    """A structure in an image, cut to its bounding box.

    Args:
        values: (Z, Y, X) in the image's unit.
        mask: (Z, Y, X) what belongs to it; at least one voxel.
        levels: (Z, Y, X) from 1 in the mask, 0 elsewhere.
        spacing: (dz, dy, dx) in mm.
        flat: Whether the image has one slice.
    """

    values: Floats
    mask: Flags
    levels: Ints
    spacing: tuple[float, float, float]
    flat: bool = False

    @classmethod
    def cut(cls, values: npt.ArrayLike, mask: npt.ArrayLike, spacing: tuple[float, float, float], bins: Bins) -> Region:
        """The region of a mask in an image of the same shape (Z, Y, X); voxels without a finite value are left out.

        Raises:
            DataRefused: When the mask marks nothing, or the values make too many levels.
        """
        image = np.asarray(values, np.float64)
        marked = np.asarray(mask, bool) & np.isfinite(image)
        if not marked.any():
            raise DataRefused("the mask marks no voxel with a value", todo="Leave this structure out")
        box = tuple(slice(int(axis.min()), int(axis.max()) + 1) for axis in np.nonzero(marked))
        levels = np.zeros(image[box].shape, np.int64)
        levels[marked[box]] = bins.levels(image[marked])
        return cls(image[box], marked[box], levels, spacing, flat=image.shape[0] == 1)

    @property
    def inside(self) -> Floats:
        """(N,) values in the mask."""
        return self.values[self.mask]


class Features(Protocol):
    """What a file in this folder provides as `FEATURES`."""

    flat: bool | None
    """True: only of images with one slice; False: only of volumes; None: of both."""
    units: Mapping[str, str]
    """Feature to its unit (UCUM); `image` is the image's own. Those that are not named have none."""

    def measure(self, region: Region) -> dict[str, float]:
        """Feature to its value; nan where it is not defined."""
        ...
