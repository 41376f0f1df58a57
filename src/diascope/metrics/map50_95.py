"""mAP@.5:.95: average precision of boxes, the mean over ten overlaps from .50 to .95 (COCO, Lin 2014)."""

from __future__ import annotations

from diascope.evidence.boxes.curves import average_precision
from diascope.evidence.boxes.matching import from_rows
from diascope.metrics import Metric
from diascope.metrics.definition import Array, Definition


def map50_95(truth: Array, said: Array) -> float:
    """Of one label: nan where there is nothing to be found."""
    label, images = from_rows(truth, said)
    return float(average_precision(label, images).mean())


METRIC: Metric = Definition(
    map50_95,
    kind="boxes",
    title={"en": "mAP@.5:.95", "zh-CN": "mAP@.5:.95"},
)
