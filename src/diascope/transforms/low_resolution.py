"""A coarser acquisition: fewer samples (nearest), then interpolated back (cubic), as one matrix product an axis."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
from torch import Tensor

from diascope.transforms import Params
from diascope.transforms.augmentation.draws import along_each, between, chance, where_drawn
from diascope.transforms.resampling.matrices import weights


class LowResolution:
    """Params: `probability` (0.15); `zoom` [lowest, highest] share of samples kept ([0.5, 1]); `axes` (all)."""

    scope: Literal["batch"] = "batch"
    spatial = False

    def draw(self, rng: np.random.Generator, count: int, shape: tuple[int, int, int], params: Params) -> Params:
        return {
            "on": chance(rng, count, params.get("probability", 0.15)),
            "zoom": between(rng, count, params.get("zoom", (0.5, 1.0))),
            "axes": np.asarray(params.get("axes", (0, 1, 2)), dtype=np.int64),
        }

    def apply(self, images: Tensor, masks: Tensor | None, drawn: Params) -> tuple[Tensor, Tensor | None]:
        shape = images.shape[2:]
        axes = [axis if axis in drawn["axes"] and shape[axis] > 1 else None for axis in range(3)]

        def change(some: Tensor, rows: npt.NDArray[np.intp]) -> Tensor:
            zooms = drawn["zoom"][rows]
            return along_each(
                some, [[None if a is None else _there_and_back(shape[a], z) for a in axes] for z in zooms]
            )

        return where_drawn(images, drawn["on"], change), masks


def _there_and_back(size: int, zoom: float) -> npt.NDArray[np.float32]:
    small = max(1, round(size * zoom))
    matrix: npt.NDArray[np.float32] = (weights(small, size, 3) @ weights(size, small, 0)).numpy()
    return matrix


TRANSFORM = LowResolution()
