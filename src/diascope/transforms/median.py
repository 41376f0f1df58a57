"""Median of the neighbours: takes single bright or dark voxels away and keeps edges (scipy)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy.typing as npt
from scipy import ndimage

from diascope.transforms import ImageFilter
from diascope.transforms.filtering import Filter, Floats, Number, each_axis


class Median(Filter):
    """Params: `size` of the neighbourhood in voxels, odd, one or three for z, y, x (3).

    Works before the intensity rule, on pictures and volumes.
    """

    numbers: Mapping[str, Number] = MappingProxyType(
        {"size": Number(3, 1, 15, "voxels", whole=True, odd=True, axes=True)}
    )

    def change(self, image: Floats, numbers: Mapping[str, Any]) -> npt.NDArray[Any]:
        size = tuple(int(one) for one in each_axis(numbers["size"], image.ndim))
        changed: npt.NDArray[Any] = ndimage.median_filter(image, size=size, mode="nearest")
        return changed


TRANSFORM: ImageFilter = Median()
