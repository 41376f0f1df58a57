"""Brightness (times a factor, plus a shift) and contrast (about the mean)."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
from torch import Tensor

from diascope.transforms import Params
from diascope.transforms.augmentation.draws import between, chance, per_example, where_drawn


class BrightnessContrast:
    """Params: `probability` of each (0.15); `brightness`, `contrast` factors ([0.75, 1.25]); `shift` ([0, 0])."""

    scope: Literal["batch"] = "batch"
    spatial = False

    def draw(self, rng: np.random.Generator, count: int, shape: tuple[int, int, int], params: Params) -> Params:
        probability = params.get("probability", 0.15)
        bright, contrasted = chance(rng, count, probability), chance(rng, count, probability)
        return {
            "on": bright | contrasted,
            "brightness": np.where(bright, between(rng, count, params.get("brightness", (0.75, 1.25))), 1.0),
            "shift": np.where(bright, between(rng, count, params.get("shift", (0.0, 0.0))), 0.0),
            "contrast": np.where(contrasted, between(rng, count, params.get("contrast", (0.75, 1.25))), 1.0),
        }

    def apply(self, images: Tensor, masks: Tensor | None, drawn: Params) -> tuple[Tensor, Tensor | None]:
        def change(some: Tensor, rows: npt.NDArray[np.intp]) -> Tensor:
            brightness, shift, contrast = (
                per_example(drawn[key][rows], some) for key in ("brightness", "shift", "contrast")
            )
            # ((x b - m b) c + m b) + s, with m the mean of each channel, in one pass over the voxels
            mean = some.mean(dim=(2, 3, 4), keepdim=True)
            return some * (brightness * contrast) + (mean * brightness * (1 - contrast) + shift)

        return where_drawn(images, drawn["on"], change), masks


TRANSFORM = BrightnessContrast()
