"""What is measured of spans: precision, recall and F1, strict and relaxed, of each label, pooled and averaged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from diascope.core import registry
from diascope.core.case import Label
from diascope.engine.batch import Row
from diascope.engine.task import Scores, Statistic
from diascope.evidence.spans.matching import SAID, TRUE, Counts, Span, counted, f1, precision, recall

HEADLINE = ("f1", "macro_f1", "relaxed_f1", "precision", "recall")
MEASURES: dict[str, Callable[[Counts, bool], float]] = {"f1": f1, "precision": precision, "recall": recall}
Index = npt.NDArray[np.intp]


def truth_of(row: Row) -> list[Span]:
    """The true spans of a row."""
    return [(int(start), int(stop), int(label)) for start, stop, label in row["truth"]]


def said_of(row: Row) -> list[Span]:
    """The spans that a decided row says."""
    return [(int(start), int(stop), int(label)) for start, stop, label, _ in row["said"]]


def counts_of(rows: Sequence[Row], labels: int) -> Counts:
    """(N, labels, 5) counts of each text (see `evidence/spans/matching.py`)."""
    found = [counted(truth_of(row), said_of(row), labels) for row in rows]
    return np.stack(found) if found else np.zeros((0, labels, 5), np.int64)


def scores_of(rows: Sequence[Row], labels: Sequence[Label]) -> Scores:
    """Every metric; all are functions of sums of counts, so that resamples of patients cost next to nothing."""
    counts = counts_of(rows, len(labels))
    statistics = []
    for relaxed in (False, True):
        for name, measure in MEASURES.items():
            named = f"relaxed_{name}" if relaxed else name
            statistics.append(Statistic(named, partial(_pooled, measure, relaxed, counts.sum(axis=1))))
            if len(labels) > 1:
                statistics += [
                    Statistic(f"{named}/{label.name}", partial(_pooled, measure, relaxed, counts[:, number]))
                    for number, label in enumerate(labels)
                ]
    statistics += [Statistic(f"{name}macro_f1", partial(_mean_f1, bool(name), counts)) for name in ("", "relaxed_")]
    statistics.append(Statistic("ece", _calibration(rows), better="lower"))
    each = counts.sum(axis=1)
    own = np.array([f1(one) if one[SAID] + one[TRUE] else np.nan for one in each], np.float64)
    return Scores(tuple(statistics), HEADLINE, own)


def _pooled(measure: Callable[[Counts, bool], float], relaxed: bool, counts: Counts, index: Index) -> float:
    """A measure of the summed counts (N, 5) of some texts."""
    return measure(counts[index].sum(axis=0), relaxed)


def _mean_f1(relaxed: bool, counts: Counts, index: Index) -> float:
    """Mean over the labels that some of the texts hold; a mean over other labels is another quantity."""
    total = counts[index].sum(axis=0)
    present = counts[:, :, TRUE].sum(axis=0) > 0
    if not present.any() or not (total[present, TRUE] > 0).all():
        return float("nan")
    return float(np.mean([f1(one, relaxed) for one in total[present]]))


def _calibration(rows: Sequence[Row]) -> Callable[[Index], float]:
    """Expected calibration error of the confidence of spans that could be said."""
    metric = registry.get("metrics", "ece")
    said = [np.array([one[3] for one in row["apart"]], np.float64) for row in rows]
    right = [
        np.array([(one[0], one[1], one[2]) in set(truth_of(row)) for one in row["apart"]], np.float64) for row in rows
    ]

    def of(index: Index) -> float:
        if not len(index):
            return float("nan")
        return float(metric(np.concatenate([right[i] for i in index]), np.concatenate([said[i] for i in index])))

    return of
