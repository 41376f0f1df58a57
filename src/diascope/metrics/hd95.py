"""95 % Hausdorff distance: how far apart two surfaces are, the worst 5 % of each left out."""

from __future__ import annotations

from typing import Literal

import numpy as np

from diascope.metrics import Metric, nan
from diascope.metrics.definition import Array, Spacing, as_pair
from diascope.metrics.surface import distances, surfaces


class HausdorffDistance95:
    """The larger of the two directed 95th percentiles of surface distance, in mm (as MONAI; Huttenlocher 1993).

    Both masks empty: nan. One empty: the diagonal of the image, the largest error that it has room for (as BraTS does).
    nan would hide a structure that was missed, infinity would swallow every other case in the mean.
    """

    kind: Literal["probability", "call", "value", "mask", "image", "boxes"] = "mask"
    better: Literal["higher", "lower", "nearer"] = "lower"
    perfect = 0.0
    unit = "mm"
    title: dict[str, str] = {"en": "95 % Hausdorff distance", "zh-CN": "95% 豪斯多夫距离"}  # noqa: RUF012

    def __call__(self, truth: Array, said: Array, spacing: Spacing = (1.0, 1.0, 1.0)) -> float:
        truth, said = as_pair(truth, said)
        one, other = surfaces(truth, said, spacing)
        if not len(one) and not len(other):
            return nan
        if not len(one) or not len(other):
            return float(np.linalg.norm(np.multiply(truth.shape, spacing)))
        return float(max(np.percentile(distances(one, other), 95), np.percentile(distances(other, one), 95)))


METRIC: Metric = HausdorffDistance95()
