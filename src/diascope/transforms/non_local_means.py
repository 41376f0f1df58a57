"""Non-local means: the mean of places that look alike, wherever they lie (Buades 2005; scikit-image)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy.typing as npt
from skimage.restoration import denoise_nl_means

from diascope.transforms import ImageFilter
from diascope.transforms.filtering import Filter, Floats, Number, spread


class NonLocalMeans(Filter):
    """Params: `strength`, of the image's standard deviation (0.2); `patch` (3) and `distance` (3), in voxels.

    A place is compared by a patch of that edge with all places up to the distance: the time grows with its square, of
    volumes with its cube. Works before the intensity rule, on pictures and volumes.
    """

    numbers: Mapping[str, Number] = MappingProxyType(
        {
            "strength": Number(0.2, 0.001, 5.0, "of the standard deviation"),
            "patch": Number(3, 3, 11, "voxels", whole=True, odd=True),
            "distance": Number(3, 1, 15, "voxels", whole=True),
        }
    )

    def change(self, image: Floats, numbers: Mapping[str, Any]) -> npt.NDArray[Any]:
        changed: npt.NDArray[Any] = denoise_nl_means(
            image,
            patch_size=int(numbers["patch"]),
            patch_distance=int(numbers["distance"]),
            h=numbers["strength"] * spread(image),
            fast_mode=True,
            preserve_range=True,
        )
        return changed


TRANSFORM: ImageFilter = NonLocalMeans()
