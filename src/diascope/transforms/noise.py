"""Gaussian noise."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from diascope.transforms import Params
from diascope.transforms.augmentation.draws import between, chance, per_example, where_drawn


class Noise:
    """Params: `probability` (0.1); `std` [lowest, highest] in units of the scaled image ([0, 0.3])."""

    scope: Literal["batch"] = "batch"
    spatial = False

    def draw(self, rng: np.random.Generator, count: int, shape: tuple[int, int, int], params: Params) -> Params:
        return {
            "on": chance(rng, count, params.get("probability", 0.1)),
            "std": between(rng, count, params.get("std", (0.0, 0.3))),
            "seed": rng.integers(2**31, size=count),
        }

    def apply(self, images: Tensor, masks: Tensor | None, drawn: Params) -> tuple[Tensor, Tensor | None]:
        def change(some: Tensor, rows: npt.NDArray[np.intp]) -> Tensor:
            seeds = drawn["seed"][rows]
            # The seed stands for the draw: an array of noise as large as the image is not worth remembering.
            made = [torch.randn(some.shape[1:], generator=torch.Generator().manual_seed(int(s))) for s in seeds]
            return some + torch.stack(made).to(some) * per_example(drawn["std"][rows], some)

        return where_drawn(images, drawn["on"], change), masks


TRANSFORM = Noise()
