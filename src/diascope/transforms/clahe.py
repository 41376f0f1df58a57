"""Contrast-limited adaptive histogram equalisation: local contrast, noise kept down (Zuiderveld 1994; scikit-image)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

import numpy.typing as npt
from skimage.exposure import equalize_adapthist

from diascope.transforms import ImageFilter
from diascope.transforms.filtering import Filter, Floats, Number, unit_range

COLOURS = (3, 4)


class Clahe(Filter):
    """Params: `clip`, the most that a grey value may hold of a tile (0.01; 1 is no limit); `tiles` an axis (8).

    Works after the intensity rule, on each channel of pictures and volumes; the lowest and the highest value stay.
    """

    when: Literal["before", "after"] = "after"
    numbers: Mapping[str, Number] = MappingProxyType(
        {"clip": Number(0.01, 0.0001, 1.0, "of a tile"), "tiles": Number(8, 1, 64, "each axis", whole=True)}
    )

    def change(self, image: Floats, numbers: Mapping[str, Any]) -> npt.NDArray[Any]:
        scaled, low, high = unit_range(image)
        # The library takes a last axis of 3 or 4 for colours: one more axis shows that it is none.
        space = scaled[..., None] if scaled.ndim == 3 and scaled.shape[-1] in COLOURS else scaled
        tile = tuple(max(1, side // int(numbers["tiles"])) for side in space.shape)
        even, _, _ = unit_range(equalize_adapthist(space, kernel_size=tile, clip_limit=numbers["clip"]))
        return low + (high - low) * even.reshape(image.shape)


TRANSFORM: ImageFilter = Clahe()
