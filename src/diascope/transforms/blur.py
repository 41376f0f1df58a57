"""Gaussian blur, as one matrix product an axis."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
from torch import Tensor

from diascope.transforms import Params
from diascope.transforms.augmentation.draws import along_each, between, chance, where_drawn
from diascope.transforms.resampling.matrices import gaussian


class Blur:
    """Params: `probability` (0.2); `sigma` [lowest, highest] in voxels ([0.5, 1]); `axes` that are blurred (all)."""

    scope: Literal["batch"] = "batch"
    spatial = False

    def draw(self, rng: np.random.Generator, count: int, shape: tuple[int, int, int], params: Params) -> Params:
        return {
            "on": chance(rng, count, params.get("probability", 0.2)),
            "sigma": between(rng, count, params.get("sigma", (0.5, 1.0))),
            "axes": np.asarray(params.get("axes", (0, 1, 2)), dtype=np.int64),
        }

    def apply(self, images: Tensor, masks: Tensor | None, drawn: Params) -> tuple[Tensor, Tensor | None]:
        shape = images.shape[2:]
        axes = [axis if axis in drawn["axes"] and shape[axis] > 1 else None for axis in range(3)]

        def change(some: Tensor, rows: npt.NDArray[np.intp]) -> Tensor:
            sigmas = drawn["sigma"][rows]
            return along_each(some, [[None if a is None else gaussian(shape[a], s) for a in axes] for s in sigmas])

        return where_drawn(images, drawn["on"], change), masks


TRANSFORM = Blur()
