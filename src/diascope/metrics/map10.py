"""mAP@.1: average precision of boxes in volumes that hit from an overlap of a tenth on (nnDetection)."""

from __future__ import annotations

from functools import partial

from diascope.evidence.boxes.curves import average_precision
from diascope.evidence.boxes.matching import IN_VOLUMES, from_rows, matched
from diascope.metrics import Metric
from diascope.metrics.definition import Array, Definition


def map10(truth: Array, said: Array) -> float:
    """Of one label: nan where there is nothing to be found."""
    label, images = from_rows(truth, said, partial(matched, least=IN_VOLUMES[:1]))
    return float(average_precision(label, images)[0])


METRIC: Metric = Definition(
    map10,
    kind="boxes",
    title={"en": "mAP@.1", "zh-CN": "mAP@.1"},
)
