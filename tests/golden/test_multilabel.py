"""Figures of several labels, each by itself and their means, are those of scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score, recall_score, roc_auc_score

from diascope.core.case import Label, Target
from diascope.core.plan import Choice, Plan
from diascope.tasks.multilabel import TASK

NAMES = ("effusion", "mass", "nodule", "hernia")
CLOSE = 1e-12


def a_plan() -> Plan:
    labels = tuple(Label(name=name, value=place) for place, name in enumerate(NAMES))
    target = Target(name="findings", kind="labels", columns=NAMES, labels=labels)
    counts = {name: [50, 50, 0] for name in NAMES}
    fields = {"label_counts": counts, "uncertain": "ignore", "fewest_cases": 10}
    choices = {name: Choice(value=value, kind="fixed", reason="") for name, value in fields.items()}
    return Plan(dataset="d", task="multilabel", target=target, seed=0, choices=choices)


def decided(missing: float) -> tuple[list[dict], np.ndarray, np.ndarray, np.ndarray]:
    """Rows, truth (nan where it is not known), probabilities with ties, calls."""
    rng = np.random.default_rng(5)
    truth = (rng.random((300, len(NAMES))) < (0.5, 0.3, 0.2, 0.06)).astype(float)
    said = (0.5 * truth + rng.random(truth.shape)).round(2).clip(0, 1)
    calls = (said >= (0.6, 0.5, 0.7, 0.9)).astype(int)
    truth[rng.random(truth.shape) < missing] = np.nan
    rows = [
        {
            "case": str(number),
            "patient": str(number),
            "labels": [None if np.isnan(value) else int(value) for value in truth[number]],
            "probability": said[number].tolist(),
            "call": calls[number].tolist(),
        }
        for number in range(len(truth))
    ]
    return rows, truth, said, calls


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_each_label_and_the_mean_are_those_of_scikit_learn(missing: float) -> None:
    rows, truth, said, calls = decided(missing)
    found = {one.name: one.of(np.arange(len(rows))) for one in TASK.score(rows, a_plan()).statistics}
    theirs = {
        "auroc": (roc_auc_score, said),
        "average_precision": (average_precision_score, said),
        "f1": (f1_score, calls),
        "sensitivity": (recall_score, calls),
    }
    for name, (function, answers) in theirs.items():
        each = []
        for label, column in enumerate(truth.T):
            known = np.isfinite(column)
            each.append(function(column[known], answers[known, label]))
            assert found[f"{name}/{NAMES[label]}"] == pytest.approx(each[-1], abs=CLOSE)
        assert found[name] == pytest.approx(np.mean(each), abs=CLOSE)
        if not missing:
            assert found[name] == pytest.approx(function(truth, answers, average="macro"), abs=CLOSE)
