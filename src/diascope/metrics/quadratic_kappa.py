"""Cohen's kappa of ordered classes: an error weighs the square of its distance (Cohen 1968)."""

from __future__ import annotations

import numpy as np

from diascope.metrics import Metric, nan
from diascope.metrics.confusion import table
from diascope.metrics.definition import Array, Definition


def quadratic_kappa(truth: Array, said: Array) -> float:
    """1 - weighted disagreement / that of chance; nan where chance always agrees. Grades are equally far apart."""
    if not truth.size:
        return nan
    counts = table(truth, said).astype(float)
    grades = np.arange(len(counts))
    weights = np.square(grades[:, None] - grades[None])
    chance = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
    expected = float((weights * chance).sum())
    return 1 - float((weights * counts).sum()) / expected if expected else nan


METRIC: Metric = Definition(
    quadratic_kappa,
    kind="call",
    title={"en": "Quadratic κ", "zh-CN": "二次加权 κ"},
)
