"""Cohen's kappa: agreement of truth and call beyond chance (Cohen 1960)."""

from __future__ import annotations

from diascope.metrics import Metric, nan
from diascope.metrics.confusion import table
from diascope.metrics.definition import Array, Definition


def cohen_kappa(truth: Array, said: Array) -> float:
    """(agreement - chance) / (1 - chance), any number of classes, unweighted; nan where chance alone agrees always."""
    counts = table(truth, said).astype(float)
    total = counts.sum()
    if not total:
        return nan
    agreement = counts.trace() / total
    chance = counts.sum(axis=1) @ counts.sum(axis=0) / total**2
    return float((agreement - chance) / (1 - chance)) if chance < 1 else nan


METRIC: Metric = Definition(
    cohen_kappa,
    kind="call",
    title={"en": "Cohen's κ", "zh-CN": "Cohen κ 系数"},
)
