"""FROC score of boxes that hit where their middle lies in the lesion (LUNA16, Setio 2017).

The mean sensitivity at 1/8, 1/4, 1/2, 1, 2, 4 and 8 false positives an image.
"""

from __future__ import annotations

from diascope.evidence.boxes.curves import sensitivity_at
from diascope.evidence.boxes.matching import by_centre, from_rows
from diascope.metrics import Metric
from diascope.metrics.definition import Array, Definition


def froc_centre(truth: Array, said: Array) -> float:
    """Of one label: nan where there is nothing to be found."""
    label, images = from_rows(truth, said, by_centre)
    return float(sensitivity_at(label, images).mean())


METRIC: Metric = Definition(
    froc_centre,
    kind="boxes",
    title={"en": "FROC score by centre", "zh-CN": "FROC 得分（按中心）"},
)
