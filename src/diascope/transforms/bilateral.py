"""Bilateral filter: the mean of neighbours that are alike, so that edges stay (Tomasi 1998; SimpleITK)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy.typing as npt

from diascope.formats.itk import bilateral
from diascope.transforms import ImageFilter
from diascope.transforms.filtering import Filter, Floats, Number, spread


class Bilateral(Filter):
    """Params: `sigma` of the distance in voxels (1); `alike` of the difference, of the image's deviation (0.3).

    Both are standard deviations of a Gaussian. Works before the intensity rule, on pictures and volumes.
    """

    numbers: Mapping[str, Number] = MappingProxyType(
        {"sigma": Number(1.0, 0.3, 8.0, "voxels"), "alike": Number(0.3, 0.01, 5.0, "of the standard deviation")}
    )

    def change(self, image: Floats, numbers: Mapping[str, Any]) -> npt.NDArray[Any]:
        return bilateral(image, numbers["sigma"], numbers["alike"] * spread(image))


TRANSFORM: ImageFilter = Bilateral()
