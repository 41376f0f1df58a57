"""Histogram equalisation: every grey value becomes as frequent as any other (scikit-image)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

import numpy.typing as npt
from skimage.exposure import equalize_hist

from diascope.transforms import ImageFilter
from diascope.transforms.filtering import Filter, Floats, Number, unit_range


class HistogramEqualisation(Filter):
    """Params: `bins` of the histogram (1024).

    Works after the intensity rule, on each channel of pictures and volumes; the lowest and the highest value stay.
    """

    when: Literal["before", "after"] = "after"
    numbers: Mapping[str, Number] = MappingProxyType({"bins": Number(1024, 16, 65536, whole=True)})

    def change(self, image: Floats, numbers: Mapping[str, Any]) -> npt.NDArray[Any]:
        scaled, low, high = unit_range(image)
        flat, _, _ = unit_range(equalize_hist(scaled, nbins=int(numbers["bins"])))  # type: ignore[no-untyped-call]
        return low + (high - low) * flat


TRANSFORM: ImageFilter = HistogramEqualisation()
