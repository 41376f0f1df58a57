"""Figures of several labels: how often each is there, what is said where which is true, and curves of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from diascope.core.figure import Chart, Figure, Grid, Matrix
from diascope.evidence.intervals import FEWEST_IN_CLASS
from diascope.tasks.binary import Question
from diascope.tasks.curves import precision_recall_chart, reliability_chart, roc_chart
from diascope.tasks.labels.knowing import Answers
from diascope.tasks.labels.scoring import averaged

IN_A_CHART = 7
"""Lines that are told apart by their colours."""
CHARTS = 3
"""Of each kind of curve: of more labels the commonest are drawn."""
NONE = "none of them"


def figures(
    answers: Answers, labels: Sequence[int], decisions: Sequence[Mapping[str, Any]], why_not: Mapping[str, str]
) -> tuple[Figure, ...]:
    """Every figure of decided rows.

    Args:
        answers: The rows.
        labels: Of which something is said.
        decisions: About each of the K labels.
        why_not: Label to why nothing is said of it.
    """
    return (
        *_curves(answers, labels),
        _together(answers, labels),
        _table(answers, labels, decisions, why_not),
    )


def _curves(answers: Answers, labels: Sequence[int]) -> list[Chart]:
    """Small charts of a few labels each, the commonest labels first."""
    common = sorted(labels, key=lambda label: -int((answers.truth[:, label] == 1).sum()))[: IN_A_CHART * CHARTS]
    asked = [_question(answers, label) for label in common]
    parts = [asked[start : start + IN_A_CHART] for start in range(0, len(asked), IN_A_CHART)]
    return [draw(part) for draw in (roc_chart, precision_recall_chart, reliability_chart) for part in parts]


def _question(answers: Answers, label: int) -> Question:
    known = np.isfinite(answers.truth[:, label])
    patients = [patient for patient, mine in zip(answers.patients, known, strict=True) if mine]
    return Question(answers.names[label], answers.truth[known, label] == 1, answers.said[known, label], patients)


def _together(answers: Answers, labels: Sequence[int]) -> Matrix:
    """Cases with a label (rows) of which another one, or the same, is said (columns)."""
    chosen = list(labels)
    true, said = (answers.truth[:, chosen] == 1), (answers.calls[:, chosen] == 1)
    known = np.isfinite(answers.truth[:, chosen]).any(axis=1)
    true = np.column_stack([true, known & ~true.any(axis=1)]).astype(float)
    said = np.column_stack([said, ~said.any(axis=1)]).astype(float)
    names = (*(answers.names[label] for label in chosen), NONE)
    return Matrix(
        title="Cases with a label, and what is said of them",
        rows=names,
        columns=names,
        counts=tuple(tuple(map(float, line)) for line in true.T @ said),
        sizes=tuple(map(float, true.sum(axis=0))),
        note="A case with several labels is in several rows, and in several columns where several are said.",
    )


def _table(
    answers: Answers, labels: Sequence[int], decisions: Sequence[Mapping[str, Any]], why_not: Mapping[str, str]
) -> Grid:
    counted, rows = set(averaged(answers, labels)), []
    for label, name in enumerate(answers.names):
        true, unsure = answers.truth[:, label], answers.uncertain[:, label]
        said = label in set(labels)
        note = f"nothing is said of it: {why_not[name]}" if not said else ""
        if said and min(answers.patients_of(label)) < FEWEST_IN_CLASS:
            note = f"too few to measure: the means are over labels with {FEWEST_IN_CLASS} patients with and without"
        threshold = decisions[label]["point"]["threshold"] if said else None
        cells = int((true == 1).sum()), int((true == 0).sum()), int(unsure.sum())
        silent = len(true) - int((np.isfinite(true) | unsure).sum())
        called = int(answers.calls[:, label].sum()) if said else None
        rows.append((name, *cells, silent, called, None if threshold is None else round(float(threshold), 3), note))
    return Grid(
        title="Cases of each label",
        columns=("label", "present", "absent", "uncertain", "not said", "called present", "from probability", "note"),
        rows=tuple(rows),
        note=f"Figures without the name of a label are means over {len(counted)} of {len(answers.names)} labels.",
    )
