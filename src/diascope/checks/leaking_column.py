"""A column that gives the answer away: the outcome in other words, or what was only known after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

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

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.intp]
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
            classes = [] if target.kind == "number" else [_numbered(answers) for answers in asked]
            for column, values in columns_of(cases, name).items():
                if column in target.columns:
                    continue
                told = max(_parted(values, codes) for codes in classes) if classes else _followed(values, asked[0])
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


def _numbered(answers: Sequence[Scalar]) -> Ints:
    """Classes by their number, -1 where nothing is known."""
    names = {name: number for number, name in enumerate(dict.fromkeys(a for a in answers if a is not None))}
    return np.array([-1 if answer is None else names[answer] for answer in answers], dtype=np.intp)


def _followed(values: Sequence[Scalar], answers: Sequence[Scalar]) -> float:
    """The rank correlation of a column with a number; 0 where either is none, or too little is known."""
    pairs = [(value, answer) for value, answer in zip(values, answers, strict=True) if None not in (value, answer)]
    column, truth = [value for value, _ in pairs], [answer for _, answer in pairs]
    numbers = [value for value in (*column, *truth) if isinstance(value, int | float)]
    enough = len(pairs) >= max(2 * FEWEST, len(values) // 2)
    return _correlation(column, truth) if enough and len(numbers) == 2 * len(pairs) else 0.0


def _parted(values: Sequence[Scalar], classes: Ints) -> float:
    """The best AUROC by which a column tells one class from the rest; 0 where too little is known.

    Args:
        values: (N,) None where one is missing.
        classes: (N,) number of the class, -1 where it is not known.
    """
    both = (classes >= 0) & np.array([value is not None for value in values], dtype=bool)
    if both.sum() < max(2 * FEWEST, len(values) // 2):
        return 0.0
    truth = classes[both]
    ranked = _ranking([value for value, mine in zip(values, both, strict=True) if mine])
    best, names = 0.0, np.unique(truth)
    # Of two classes either is told as well as the other.
    for name in names[:1] if len(names) == 2 else names:
        mine = truth == name
        if min(mine.sum(), (~mine).sum()) >= FEWEST:
            best = max(best, _auroc(ranked(mine), mine))
    return best


def _ranking(column: Sequence[Scalar]) -> Callable[[Flags], Floats]:
    """Ranks of a column for a class: numbers as they are; of words how often each goes with the class."""
    if not any(isinstance(value, str) for value in column):
        ranks = rankdata(np.array(column, dtype=np.float64))
        return lambda mine: ranks
    known, place = np.unique([str(value) for value in column], return_inverse=True)
    # A word a case would tell everything and mean nothing.
    if 2 * len(known) > len(column):
        return lambda mine: rankdata(np.zeros(len(column)))
    return lambda mine: rankdata((np.bincount(place, weights=mine) / np.bincount(place))[place])


def _auroc(ranks: Floats, mine: Flags) -> float:
    positives, negatives = int(mine.sum()), int((~mine).sum())
    area = (ranks[mine].sum() - positives * (positives + 1) / 2) / (positives * negatives)
    return float(max(area, 1 - area))


def _correlation(column: Sequence[Scalar], truth: Sequence[Scalar]) -> float:
    one, other = (rankdata(np.array(values, float)) for values in (column, truth))
    if not one.std() or not other.std():
        return 0.0
    return float(abs(np.corrcoef(one, other)[0, 1]))


CHECK: Check = LeakingColumn()
