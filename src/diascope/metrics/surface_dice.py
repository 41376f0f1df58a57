"""Normalised surface Dice: the share of two surfaces that lies within a tolerance of the other (Nikolov 2018)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from diascope.metrics import Metric, nan
from diascope.metrics.definition import Array, Spacing, as_pair
from diascope.metrics.surface import distances, surfaces

_SLACK = 1e-6
"""Millimetres: ten steps of 0.1 mm are within 1 mm whatever the rounding."""


@dataclass
class SurfaceDice:
    """Surface voxels within `tolerance` of the other surface, as a share of all surface voxels of both.

    0 where one mask is empty, nan where both are. Surface voxels are counted, as in MONAI; DeepMind's program
    `surface-distance` weighs them by their area.

    Args:
        tolerance: Millimetres (pixels where the image has none). Choose the disagreement of two readers; 1 where that
            is not known.
    """

    tolerance: float = 1.0
    kind: Literal["probability", "call", "value", "mask", "image", "boxes"] = "mask"
    better: Literal["higher", "lower", "nearer"] = "higher"
    perfect: float = 1.0
    unit: str = "1"
    title: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        within = f"{self.tolerance:g} mm"
        self.title = {
            "en": f"Surface Dice ({within}; pixels where there are no mm)",
            "zh-CN": f"表面 Dice（{within}；无毫米时为像素）",
        }

    def __call__(self, truth: Array, said: Array, spacing: Spacing = (1.0, 1.0, 1.0)) -> float:
        one, other = surfaces(*as_pair(truth, said), spacing)
        if not len(one) and not len(other):
            return nan
        if not len(one) or not len(other):
            return 0.0
        limit = self.tolerance + _SLACK
        near = sum(np.count_nonzero(np.isfinite(distances(*pair, limit))) for pair in ((one, other), (other, one)))
        return float(near / (len(one) + len(other)))


METRIC: Metric = SurfaceDice()
