"""Mirroring, where anatomy allows it: the plan names the axes."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from diascope.transforms import Params

Points = npt.NDArray[np.float64]


class Mirror:
    """Params: `axes` that may be mirrored (0 = z, 1 = y, 2 = x; default none), each with `probability` (0.5)."""

    scope: Literal["batch"] = "batch"
    spatial = True

    def draw(self, rng: np.random.Generator, count: int, shape: tuple[int, int, int], params: Params) -> Params:
        allowed = np.isin(np.arange(3), list(params.get("axes", ())))
        return {"flip": (rng.random((count, 3)) < params.get("probability", 0.5)) & allowed}

    def apply(self, images: Tensor, masks: Tensor | None, drawn: Params) -> tuple[Tensor, Tensor | None]:
        return _flip(images, drawn["flip"]), None if masks is None else _flip(masks, drawn["flip"])

    def move(self, points: Points, shape: tuple[int, int, int], drawn: Params) -> Points:
        return np.asarray(np.where(drawn["flip"][:, None], np.asarray(shape, np.float64) - points, points))


def _flip(batch: Tensor, flip: np.ndarray) -> Tensor:
    if not flip.any():
        return batch
    rows = [
        example.flip([axis + 1 for axis in range(3) if mine[axis]]) for example, mine in zip(batch, flip, strict=True)
    ]
    return torch.stack(rows)


TRANSFORM = Mirror()
