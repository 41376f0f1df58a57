"""N4 bias-field correction: takes slow changes of brightness out of MR images (Tustison 2010; SimpleITK)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy.typing as npt

from diascope.formats.itk import without_bias
from diascope.transforms import ImageFilter
from diascope.transforms.filtering import Filter, Floats, Number


class N4(Filter):
    """Params: `shrink` of each axis for the fit (4); `levels` of ever finer fields (4), `iterations` at each (50).

    Axes below 32 voxels are thinned less. Works before the intensity rule, on MR pictures and volumes. The field is
    fitted where the image is above its lowest value (0 where nothing is below), and divided out there.
    """

    modalities: frozenset[str] | None = frozenset({"mr", "unknown"})
    numbers: Mapping[str, Number] = MappingProxyType(
        {
            "shrink": Number(4, 1, 16, "times thinner", whole=True),
            "levels": Number(4, 1, 6, whole=True),
            "iterations": Number(50, 1, 500, "each level", whole=True),
        }
    )

    def change(self, image: Floats, numbers: Mapping[str, Any]) -> npt.NDArray[Any]:
        low = min(0.0, float(image.min()))
        return (
            without_bias(image - low, int(numbers["shrink"]), [int(numbers["iterations"])] * int(numbers["levels"]))
            + low
        )


TRANSFORM: ImageFilter = N4()
