"""FROC score: mean sensitivity at 1/8, 1/4, 1/2, 1, 2, 4 and 8 false positives an image (LUNA16, Setio 2017)."""

from __future__ import annotations

from diascope.evidence.boxes.curves import sensitivity_at
from diascope.evidence.boxes.matching import from_rows
from diascope.metrics import Metric
from diascope.metrics.definition import Array, Definition


def froc(truth: Array, said: Array) -> float:
    """Of one label: nan where there is nothing to be found."""
    label, images = from_rows(truth, said)
    return float(sensitivity_at(label, images).mean())


METRIC: Metric = Definition(
    froc,
    kind="boxes",
    title={"en": "FROC score", "zh-CN": "FROC 得分"},
)
