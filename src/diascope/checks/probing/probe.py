"""Can a label be told from some features? Cross-validated by patient, with an interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from diascope.evidence.delong import delong

FOLDS = 5
FEWEST = 20
"""Patients that a class must have to be probed: with fewer, chance alone gives high values."""


@dataclass(frozen=True)
class Probe:
    """How well the best told class can be told from the others: AUROC and its 95 % interval."""

    label: str
    auroc: float
    low: float
    high: float


def probe(features: npt.NDArray[np.float64], labels: Sequence[str], patients: Sequence[str]) -> Probe | None:
    """Logistic regression on features, out-of-fold.

    Args:
        features: (N, D).
        labels: (N,) class of each case.
        patients: (N,) patient of each case; a patient is in one fold only.

    Returns:
        The class with the highest lower bound; None where fewer than two classes have enough patients.
    """
    truth, keys = np.asarray(labels), np.asarray(patients)
    names = [name for name in dict.fromkeys(labels) if len(set(keys[truth == name])) >= FEWEST]
    if len(names) < 2:
        return None
    kept = np.isin(truth, names)
    features, truth, keys = features[kept], truth[kept], keys[kept]
    guessed, classes = _out_of_fold(features, truth, keys)
    found: list[Probe] = []
    for column, name in enumerate(classes[:1] if len(classes) == 2 else classes):
        auroc, low, high = delong(truth == name, guessed[:, column], keys.tolist())
        if not math.isnan(low):
            found.append(Probe(str(name), auroc, low, high))
    return max(found, key=lambda one: one.low, default=None)


def _out_of_fold(
    features: npt.NDArray[np.float64], truth: npt.NDArray[np.str_], keys: npt.NDArray[np.str_]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.str_]]:
    """Probability (N, K) of each class, from a model that did not see the case's patient."""
    classes = np.unique(truth)
    guessed = np.full((len(truth), len(classes)), 1 / len(classes))
    patients, first, patient_of = np.unique(keys, return_index=True, return_inverse=True)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    for _, held_out in folds.split(patients, truth[first]):
        test = np.flatnonzero(np.isin(patient_of, held_out))
        train = np.setdiff1d(np.arange(len(truth)), test)
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000, class_weight="balanced"))
        model.fit(features[train], truth[train])
        guessed[np.ix_(test, np.searchsorted(classes, model.classes_))] = model.predict_proba(features[test])
    return guessed, classes
