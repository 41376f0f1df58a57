"""Metrics of each label against its absence, and their means over the labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from diascope.core import registry
from diascope.engine.task import Statistic
from diascope.evidence.delong import Ranking
from diascope.evidence.intervals import FEWEST_IN_CLASS
from diascope.tasks.binary import one_or_others, own_interval
from diascope.tasks.labels.knowing import Answers

METRICS = ("auroc", "average_precision", "f1", "sensitivity", "specificity", "ece")
Indices = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Measured:
    """One metric of every label, on any choice of cases; where a label is not known the case does not count.

    Args:
        metric: The plug-in.
        answers: What it compares.
        known: (N, K) where it is known.
        values: What was computed: all statistics see the same resamples, so that a mean over labels need not ask again.
    """

    metric: Any
    answers: Answers
    known: npt.NDArray[np.bool_]
    values: dict[tuple[int, int], float] = field(default_factory=dict)

    def said(self, label: int) -> npt.NDArray[Any]:
        """(N,) what the metric compares with the truth: probabilities, or calls."""
        which = self.answers.said if self.metric.kind == "probability" else self.answers.calls
        column: npt.NDArray[Any] = which[:, label]
        return column

    def of(self, index: Indices, label: int) -> float:
        """The metric of one label."""
        key = hash(index.tobytes()), label
        if key not in self.values:
            rows = index[self.known[index, label]]
            truth = self.answers.truth[rows, label]
            of_kind = truth.astype(bool if self.metric.kind == "probability" else np.intp)
            self.values[key] = float(self.metric(of_kind, self.said(label)[rows]))
        return self.values[key]

    def mean(self, index: Indices, labels: Sequence[int]) -> float:
        """The mean over some labels; undefined where that of one of them is: it would be another quantity."""
        return float(np.mean([self.of(index, label) for label in labels])) if labels else float("nan")


def statistics(answers: Answers, labels: Sequence[int]) -> list[Statistic]:
    """Every metric of these labels, their means first.

    Args:
        answers: Decided rows.
        labels: Of which something is said.
    """
    known = np.isfinite(answers.truth)
    strata = {label: _strata(answers, known, label) for label in labels}
    counted = averaged(answers, labels)
    rarest = min(counted, key=lambda label: min(answers.patients_of(label)), default=None)
    found = []
    for name in METRICS:
        measured = Measured(registry.get("metrics", name), answers, known)
        unit, better = measured.metric.unit, measured.metric.better
        counts = None if rarest is None else strata[rarest]
        found.append(Statistic(name, partial(measured.mean, labels=counted), unit, better, counts=counts))
        for label in labels:
            found.append(
                Statistic(
                    f"{name}/{answers.names[label]}",
                    partial(measured.of, label=label),
                    unit,
                    better,
                    _interval(name, measured, label),
                    strata[label],
                    _ranking(name, measured, label),
                )
            )
    return found


def averaged(answers: Answers, labels: Sequence[int]) -> list[int]:
    """Labels that a mean is taken over: those with enough patients to measure them by, else those with any."""
    fewest = {label: min(answers.patients_of(label)) for label in labels}
    enough = [label for label in labels if fewest[label] >= FEWEST_IN_CLASS]
    return enough or [label for label in labels if fewest[label]]


def likelihood(answers: Answers, labels: Sequence[int]) -> npt.NDArray[np.float64]:
    """(N,) probability that was given to what is true of the label on which a case was most wrong; nan without one."""
    right = np.where(answers.truth == 1, answers.said, 1 - answers.said)[:, list(labels)]
    right[~np.isfinite(answers.truth[:, list(labels)])] = np.inf
    least = right.min(axis=1, initial=np.inf)
    return np.asarray(np.where(np.isfinite(least), least, np.nan))


def _strata(answers: Answers, known: npt.NDArray[np.bool_], label: int) -> npt.NDArray[np.str_]:
    named = one_or_others(answers.truth[:, label] == 1, answers.names[label])
    return np.where(known[:, label], named, "")


def _interval(name: str, measured: Measured, label: int) -> Callable[[Sequence[str]], tuple[float, float]] | None:
    mine = measured.known[:, label]
    own = own_interval(name, measured.answers.truth[mine, label] == 1, measured.said(label)[mine])
    if own is None:
        return None
    return lambda patients: own([patient for patient, here in zip(patients, mine, strict=True) if here])


def _ranking(name: str, measured: Measured, label: int) -> Ranking | None:
    """What DeLong's comparison of two models needs; it wants the truth of every case."""
    if name != "auroc" or not measured.known[:, label].all():
        return None
    return Ranking(measured.answers.truth[:, label] == 1, measured.answers.said[:, label])
