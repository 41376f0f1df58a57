"""Cropping or padding to a shape, about the centre or from a given voxel; un-cropping is the same with minus start."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from diascope.core.geometry import Geometry
from diascope.transforms import Params


class CropPad:
    """Params: `shape` (z, y, x) afterwards; `start` old voxel that becomes voxel 0 (default: same centre).

    `fill` is what is added to images (default: the smallest value of each channel). Masks are padded with 0.
    """

    scope: Literal["case"] = "case"

    def apply(self, volume: Tensor, geometry: Geometry, params: Params, is_mask: bool) -> tuple[Tensor, Geometry]:
        old = tuple(volume.shape[1:])
        new = tuple(int(size) for size in params["shape"])
        start = [int(s) for s in params.get("start", [(a - b) // 2 for a, b in zip(old, new, strict=True)])]
        if old == new and not any(start):
            return volume, geometry
        result = volume.new_zeros((volume.shape[0], *new))
        if not is_mask:
            result += params["fill"] if "fill" in params else volume.amin(dim=(1, 2, 3), keepdim=True)
        kept = [(max(s, 0), min(s + size, limit)) for s, size, limit in zip(start, new, old, strict=True)]
        if all(low < high for low, high in kept):
            source = tuple(slice(low, high) for low, high in kept)
            target = tuple(slice(low - s, high - s) for (low, high), s in zip(kept, start, strict=True))
            result[:, *target] = volume[:, *source]
        return result, geometry.moved(start)


TRANSFORM = CropPad()
