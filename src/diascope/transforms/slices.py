"""2.5-D: a volume as slices whose neighbours are channels, for a network of two dimensions."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from diascope.core.errors import BadUsage
from diascope.core.geometry import Geometry
from diascope.transforms import Params


class Slices:
    """Params: `count` of slices that are seen at once, odd (1: the slice alone).

    The channels of the slice itself come first, then those of its neighbours, nearest first, below before above: (C, Z,
    Y, X) becomes (count x C, Z, Y, X). Beyond the first and the last slice these come again. Masks stay as they are.
    """

    scope: Literal["case"] = "case"

    def apply(self, volume: Tensor, geometry: Geometry, params: Params, is_mask: bool) -> tuple[Tensor, Geometry]:
        count = int(params.get("count", 1))
        if count < 1 or count % 2 == 0:
            raise BadUsage("an odd number of slices is seen at once, the same on both sides", given=count)
        if is_mask or count == 1:
            return volume, geometry
        depth = volume.shape[1]
        offsets = [0, *(sign * step for step in range(1, count // 2 + 1) for sign in (-1, 1))]
        places = [torch.arange(depth).add(offset).clamp(0, depth - 1) for offset in offsets]
        return torch.cat([volume.index_select(1, place) for place in places]), geometry


TRANSFORM = Slices()
