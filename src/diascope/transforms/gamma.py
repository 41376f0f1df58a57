"""Gamma correction between the image's own extremes; mean and deviation are kept, as nnU-Net does."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
from torch import Tensor

from diascope.transforms import Params
from diascope.transforms.augmentation.draws import between, chance, per_example, standardised, where_drawn

SPACE = (2, 3, 4)
SMALLEST = 1e-7


class Gamma:
    """Params: `probability` (0.3); `exponent` [lowest, highest] ([0.7, 1.5]); `invert` share done inverted (0.25)."""

    scope: Literal["batch"] = "batch"
    spatial = False

    def draw(self, rng: np.random.Generator, count: int, shape: tuple[int, int, int], params: Params) -> Params:
        return {
            "on": chance(rng, count, params.get("probability", 0.3)),
            "exponent": between(rng, count, params.get("exponent", (0.7, 1.5))),
            "sign": np.where(chance(rng, count, params.get("invert", 0.25)), -1.0, 1.0),
        }

    def apply(self, images: Tensor, masks: Tensor | None, drawn: Params) -> tuple[Tensor, Tensor | None]:
        def change(some: Tensor, rows: npt.NDArray[np.intp]) -> Tensor:
            exponent, sign = (per_example(drawn[key][rows], some) for key in ("exponent", "sign"))
            some = some * sign
            low, high = some.amin(dim=SPACE, keepdim=True), some.amax(dim=SPACE, keepdim=True)
            bent = ((some - low) / (high - low).clamp(min=SMALLEST)).pow(exponent)
            _, mean, std = standardised(some)
            return (standardised(bent)[0] * std + mean) * sign

        return where_drawn(images, drawn["on"], change), masks


TRANSFORM = Gamma()
