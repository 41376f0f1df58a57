"""Inner cross-validation: which of several candidates has the lowest loss on cases that it was not fitted to."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

from diascope.models.estimators.answers import Answer, Floats

ENOUGH = 10_000
"""Held-out cases: with more, fewer folds are needed."""
Rows = npt.NDArray[np.int64]
Held = Callable[[Rows, Rows], Iterable[Floats]]
"""Fits every candidate to the first rows, and gives its scores (n, R) of the second rows."""


def deal(
    answer: Answer, truth: Floats, folds: int, seed: int, patients: npt.NDArray[np.int64] | None = None
) -> list[tuple[Rows, Rows]]:
    """Training and held-out rows of each fold; none where the cases are too few.

    Cases are sorted by class (or value) and dealt like cards: every fold has its share of each class, however few
    there are. There are at most half as many folds as cases. Of large tables some folds are left out.

    Args:
        answer: What is fitted.
        truth: (N,) class numbers or values.
        folds: At most this many.
        seed: Of the order within a class.
        patients: (N,) number of the patient of each case: all cases of one are in one fold. None: each case is its own.
    """
    folds = min(folds, len(truth) // 2)
    # A class of one case is held out once; two classes must be left to be told apart.
    enough = answer.kind == "number" or int((np.unique(truth, return_counts=True)[1] > 1).sum()) > 1
    if folds < 2 or not enough:
        return []
    fold = fold_of(truth, folds, seed, patients)
    if int(fold.max()) + 1 < folds:
        return []
    scored = min(folds, math.ceil(ENOUGH * folds / len(truth)))
    return [(np.flatnonzero(fold != one), np.flatnonzero(fold == one)) for one in range(scored)]


def fold_of(truth: Floats, folds: int, seed: int, patients: npt.NDArray[np.int64] | None = None) -> Rows:
    """(N,) number of the fold of each case: patients sorted by the mean of their `truth`, dealt like cards."""
    numbers = np.arange(len(truth)) if patients is None else np.unique(patients, return_inverse=True)[1]
    count = int(numbers.max()) + 1
    mean = np.bincount(numbers, weights=truth) / np.bincount(numbers)
    order = np.lexsort((np.random.default_rng(seed).permutation(count), mean))
    dealt = np.empty(count, dtype=np.int64)
    dealt[order] = np.arange(count) % folds
    return dealt[numbers]


def choose(answer: Answer, truth: Floats, dealt: Iterable[tuple[Rows, Rows]], held: Held) -> int:
    """The place of the candidate with the lowest mean loss over all held-out cases; of equals the first."""
    losses = [
        np.array([answer.loss(scores, truth[test]) for scores in held(train, test)]) * len(test)
        for train, test in dealt
    ]
    return int(np.sum(losses, axis=0).argmin())
