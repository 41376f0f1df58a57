"""Curves of probabilities against truth: ROC, precision and recall, reliability."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from diascope.core.figure import Chart, Line
from diascope.evidence.calibration import reliability
from diascope.tasks.binary import Question


def roc_chart(asked: Sequence[Question]) -> Chart:
    """ROC curve of each question."""
    lines = [Line(label="chance", x=(0.0, 1.0), y=(0.0, 1.0), style="reference")]
    for one in asked:
        order = np.argsort(-one.said, kind="stable")
        positive = one.truth[order]
        edge = np.r_[np.flatnonzero(np.diff(one.said[order])), len(order) - 1] if len(order) else np.zeros(0, int)
        hits, false = np.cumsum(positive)[edge], np.cumsum(~positive)[edge]
        if len(edge) and hits[-1] and false[-1]:
            lines.append(_line(one.name, np.r_[0, false / false[-1]], np.r_[0, hits / hits[-1]], "step"))
    return Chart(
        title="ROC curve",
        x_label="1 - specificity",
        y_label="sensitivity",
        lines=tuple(lines),
        x_range=(0, 1),
        y_range=(0, 1),
    )


def precision_recall_chart(asked: Sequence[Question]) -> Chart:
    """Precision against recall of each question, with the prevalence where one is shown."""
    lines = []
    for one in asked:
        order = np.argsort(-one.said, kind="stable")
        positive = one.truth[order]
        if positive.any():
            hits = np.cumsum(positive)
            lines.append(_line(one.name, hits / hits[-1], hits / np.arange(1, len(hits) + 1), "step"))
            share = float(positive.mean())
            if len(asked) == 1:
                lines.append(Line(label=f"prevalence {share:.2f}", x=(0.0, 1.0), y=(share, share), style="reference"))
    return Chart(
        title="Precision and recall",
        x_label="sensitivity (recall)",
        y_label="PPV (precision)",
        lines=tuple(lines),
        x_range=(0, 1),
        y_range=(0, 1),
    )


def reliability_chart(asked: Sequence[Question]) -> Chart:
    """What was said against what was true, in bins of equal mass, with intervals where one question is shown."""
    lines = [Line(label="perfect", x=(0.0, 1.0), y=(0.0, 1.0), style="reference")]
    band = len(asked) == 1
    for question in asked:
        bins = reliability(question.truth, question.said, question.patients)
        lines.append(
            Line(
                label=question.name,
                x=tuple(one.said for one in bins),
                y=tuple(float(one.true.value or 0.0) for one in bins),
                low=tuple(float(one.true.low or 0.0) for one in bins) if band else (),
                high=tuple(float(one.true.high if one.true.high is not None else 1.0) for one in bins) if band else (),
            )
        )
    return Chart(
        title="Reliability",
        x_label="probability that was said",
        y_label="share that was true",
        lines=tuple(lines),
        x_range=(0, 1),
        y_range=(0, 1),
    )


def _line(label: str, x: npt.NDArray[Any], y: npt.NDArray[Any], style: Any) -> Line:
    """At most 300 points: a report is no data store."""
    thin = np.unique(np.linspace(0, len(x) - 1, min(len(x), 300)).round().astype(int))
    return Line(label=label, x=tuple(float(v) for v in x[thin]), y=tuple(float(v) for v in y[thin]), style=style)
