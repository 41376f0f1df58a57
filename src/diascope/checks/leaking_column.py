"""A column that gives the answer away: the outcome in other words, or what was only known after it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from diascope.checks import Check
from diascope.checks.judging.words import bars
from diascope.core.case import Case, FileRef, Scalar, TableRef, Target
from diascope.core.presence import LABELS, UNCERTAIN, presence
from diascope.core.problem import Problem
from diascope.planning.columns import columns_of
from diascope.planning.survey import Survey

SURE = 0.999
"""AUROC (or size of the rank correlation, of a number) that one column alone hardly ever has honestly."""
FEWEST = 20
"""Cases that a class must have: with fewer, chance alone tells them apart now and then."""


class LeakingColumn:
    """One column alone tells a class from all others, without an error."""

    title = "Columns of a table that give the answer away"

    def look(self, survey: Survey) -> list[Problem]:
        target = survey.target
        if target is None or target.kind not in ("category", "number", LABELS) or not target.columns:
            return []
        found: dict[str, float] = {}
        for name in dict.fromkeys(name for case in survey.cases for name in case.inputs):
            cases = [case for case in survey.cases if isinstance(case.inputs.get(name), TableRef)]
            asked = [[_answer(case, goal, target) for case in cases] for goal in target.columns]
            for column, values in columns_of(cases, name).items():
                if column in target.columns:
                    continue
                told = max(_told(values, answers, target.kind == "number") for answers in asked)
                if told >= SURE:
                    found[column] = round(told, 4)
        if not found:
            return []
        words = " ".join(f"--without {column!r}" for column in found)
        return [
            Problem(
                check="leaking_column",
                severity="refuse",
                title=f"{', '.join(map(repr, found))} alone gives {target.name!r} away",
                detail="Such a column is mostly the outcome in other words, or was only known after it: a model that "
                f"reads it would look perfect and be useless. Leave it out with {words}; accept the finding if it is "
                "honestly known beforehand.",
                figure=bars("How well one column tells the answer", list(found.items())),
            )
        ]


def _answer(case: Case, column: str, target: Target) -> Scalar:
    """What is true of a case, or of one of its labels; None where that is not known."""
    value = case.targets.get(column)
    if target.kind == LABELS:
        said = presence(value)
        return None if said == UNCERTAIN else said
    return None if isinstance(value, FileRef) else value


def _told(values: Sequence[Scalar], answers: Sequence[Scalar], number: bool) -> float:
    """How well a column tells the answer: the best AUROC of one class against the rest, or the rank correlation."""
    pairs = [(value, answer) for value, answer in zip(values, answers, strict=True) if None not in (value, answer)]
    if len(pairs) < max(2 * FEWEST, len(values) // 2):
        return 0.0
    column, truth = [value for value, _ in pairs], [answer for _, answer in pairs]
    if number:
        numbers = [value for value in (*column, *truth) if isinstance(value, int | float)]
        return _correlation(column, truth) if len(numbers) == 2 * len(pairs) else 0.0
    best = 0.0
    for name in dict.fromkeys(truth):
        mine = np.array([answer == name for answer in truth])
        if min(mine.sum(), (~mine).sum()) >= FEWEST:
            best = max(best, _auroc(_ranked(column, mine), mine))
    return best


def _ranked(column: Sequence[Scalar], mine: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Numbers as they are; of words how often each goes with the class."""
    if not any(isinstance(value, str) for value in column):
        return np.array([float(value or 0) for value in column])
    words = np.array([str(value) for value in column])
    shares = {word: float(mine[words == word].mean()) for word in set(words)}
    # A word a case would tell everything and mean nothing.
    return np.array([shares[word] for word in words]) if 2 * len(shares) <= len(words) else np.zeros(len(words))


def _auroc(scores: npt.NDArray[np.float64], mine: npt.NDArray[np.bool_]) -> float:
    ranks = rankdata(scores)
    positives, negatives = int(mine.sum()), int((~mine).sum())
    area = (ranks[mine].sum() - positives * (positives + 1) / 2) / (positives * negatives)
    return float(max(area, 1 - area))


def _correlation(column: Sequence[Scalar], truth: Sequence[Scalar]) -> float:
    one, other = (rankdata(np.array(values, float)) for values in (column, truth))
    if not one.std() or not other.std():
        return 0.0
    return float(abs(np.corrcoef(one, other)[0, 1]))


CHECK: Check = LeakingColumn()
