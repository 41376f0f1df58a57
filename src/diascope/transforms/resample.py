"""Resampling to a spacing or a shape: the same box of the patient with another number of voxels."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from diascope.core.errors import BadUsage
from diascope.core.geometry import Geometry
from diascope.transforms import Params
from diascope.transforms.resampling.volume import resize, resize_labels


def target_shape(shape: tuple[int, int, int], geometry: Geometry, params: Params) -> tuple[int, int, int]:
    """(Z, Y, X) that `TRANSFORM` gives for a volume of `shape`: a flat image (Z = 1) stays flat.

    Raises:
        BadUsage: Unless `params` has either `shape` or `spacing`.
        NotPhysical: When millimetres are asked of an image without.
    """
    if ("shape" in params) == ("spacing" in params):
        raise BadUsage("resample takes either 'shape' or 'spacing'", given=dict(params))
    if "shape" in params:
        z, y, x = (int(size) for size in params["shape"])
    else:
        lengths = zip(shape, geometry.spacing, params["spacing"], strict=True)
        z, y, x = (max(1, round(size * old / new)) for size, old, new in lengths)
        z = 1 if shape[0] == 1 else z
    return z, y, x


class Resample:
    """Params: `shape` (voxels) or `spacing` (mm), each (z, y, x); `order` 0, 1 or 3 (default); `anti_alias` (False).

    `anti_alias` smooths the axes that shrink. Masks take the nearest voxel: interpolating each label linearly was
    tried, and gave a tenth fewer wrong voxels on a disc for many times the work.
    """

    scope: Literal["case"] = "case"

    def apply(self, volume: Tensor, geometry: Geometry, params: Params, is_mask: bool) -> tuple[Tensor, Geometry]:
        z, y, x = volume.shape[1:]
        shape = target_shape((z, y, x), geometry, params)
        if shape == (z, y, x):
            return volume, geometry
        if is_mask:
            resized = resize_labels(volume, shape)
        else:
            resized = resize(volume, shape, int(params.get("order", 3)), bool(params.get("anti_alias", False)))
        return resized, geometry.resized((z, y, x), shape)


TRANSFORM = Resample()
