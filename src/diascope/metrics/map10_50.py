"""mAP@.1:.5: average precision of boxes in volumes, the mean over overlaps of .10, .15, ..., .50 (nnDetection)."""

from __future__ import annotations

from functools import partial

from diascope.evidence.boxes.curves import average_precision
from diascope.evidence.boxes.matching import IN_VOLUMES, from_rows, matched
from diascope.metrics import Metric
from diascope.metrics.definition import Array, Definition


def map10_50(truth: Array, said: Array) -> float:
    """Of one label: nan where there is nothing to be found."""
    label, images = from_rows(truth, said, partial(matched, least=IN_VOLUMES))
    return float(average_precision(label, images).mean())


METRIC: Metric = Definition(
    map10_50,
    kind="boxes",
    title={"en": "mAP@.1:.5", "zh-CN": "mAP@.1:.5"},
)
