"""mAP@.5: average precision of boxes that hit from an overlap of one half on; over labels the mean (COCO)."""

from __future__ import annotations

from diascope.evidence.boxes.curves import average_precision
from diascope.evidence.boxes.matching import from_rows
from diascope.metrics import Metric
from diascope.metrics.definition import Array, Definition


def map50(truth: Array, said: Array) -> float:
    """Of one label: nan where there is nothing to be found."""
    label, images = from_rows(truth, said)
    return float(average_precision(label, images)[0])


METRIC: Metric = Definition(
    map50,
    kind="boxes",
    title={"en": "mAP@.5", "zh-CN": "mAP@.5"},
)
