"""Unsharp mask: adds what a blur takes away, so that edges stand out (scikit-image)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy.typing as npt
from skimage.filters import unsharp_mask

from diascope.transforms import ImageFilter
from diascope.transforms.filtering import Filter, Floats, Number, each_axis


class UnsharpMask(Filter):
    """Params: `radius` of the blur in voxels, one or three for z, y, x (1); `amount` of the difference added (1).

    The radius is the blur's standard deviation. Works before the intensity rule, on pictures and volumes; values may
    then lie beyond those of the image.
    """

    numbers: Mapping[str, Number] = MappingProxyType(
        {
            "radius": Number(1.0, 0.0, 20.0, "voxels", axes=True),
            "amount": Number(1.0, 0.0, 10.0, "times the difference"),
        }
    )

    def change(self, image: Floats, numbers: Mapping[str, Any]) -> npt.NDArray[Any]:
        radius = each_axis(numbers["radius"], image.ndim)
        changed: npt.NDArray[Any] = unsharp_mask(  # type: ignore[no-untyped-call]
            image, radius=radius, amount=numbers["amount"], preserve_range=True
        )
        return changed


TRANSFORM: ImageFilter = UnsharpMask()
