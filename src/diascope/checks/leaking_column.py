"""A column that gives the answer away: the outcome in other words, or what was only known after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from diascope.checks import Check
from diascope.checks.judging.words import bars
from diascope.core.case import Scalar, TableRef
from diascope.core.presence import LABELS, UNCERTAIN, presence
from diascope.core.problem import Problem
from diascope.evidence.survival.concordance import concordance
from diascope.kinds.tables.columns import columns_of
from diascope.planning.survey import Survey

SURE = 0.999
"""AUROC (or size of the rank correlation, of a number) that one column alone hardly ever has honestly."""
SURE_ORDER = 0.98
"""Concordance with times to an event that one column alone hardly ever has honestly."""
MOST = 2000
"""Cases whose pairs are compared."""
Answer = tuple[object, ...]
FEWEST = 10
"""Cases that a class must have: with fewer, chance alone tells them apart now and then (10 of 20: 1 time in 90,000)."""


class LeakingColumn:
    """One column alone tells a class from all others, a number, or who has an event and when, without an error."""

    title = "Columns of a table that give the answer away"

    def look(self, survey: Survey) -> list[Problem]:
        target = survey.target
        told = TOLD.get(target.kind) if target is not None else None
        if target is None or told is None or not target.columns:
            return []
        found: dict[str, float] = {}
        for name in dict.fromkeys(name for case in survey.cases for name in case.inputs):
            cases = [case for case in survey.cases if isinstance(case.inputs.get(name), TableRef)]
            answers = [tuple(case.targets.get(column) for column in target.columns) for case in cases]
            for column, values in columns_of(cases, name).items():
                if column not in target.columns and (share := told(values, answers)):
                    found[column] = round(share, 4)
        if not found:
            return []
        words = " ".join(f"--without {column!r}" for column in found)
        return [
            Problem(
                check="leaking_column",
                severity="refuse",
                title=f"{', '.join(map(repr, found))} alone gives {target.name!r} away: leave it out with {words}",
                detail="Such a column is mostly the outcome in other words, or was only known after it: a model that "
                "reads it would look perfect and be useless. So is one that is filled only for those of one class. "
                f"Leave it out with {words}; accept the finding if it is honestly known beforehand.",
                figure=bars("How well one column tells the answer", list(found.items())),
            )
        ]


def _of_class(values: Sequence[Scalar], answers: Sequence[Answer]) -> float:
    """The best AUROC of one class against the rest, by the column or by where it is filled; 0 below `SURE`."""
    truth = [answer[0] for answer in answers]
    filled: list[Scalar] = [float(value is not None) for value in values]
    return max(_best(filled, truth), _best(values, truth))


def _of_number(values: Sequence[Scalar], answers: Sequence[Answer]) -> float:
    """The size of the rank correlation; 0 below `SURE`."""
    known = [(value, answer[0]) for value, answer in zip(values, answers, strict=True) if None not in (value, *answer)]
    numbers = all(isinstance(one, int | float) for pair in known for one in pair)
    if not numbers or len(known) < max(2 * FEWEST, len(values) // 2):
        return 0.0
    one, other = (rankdata(np.array(column, float)) for column in zip(*known, strict=True))
    if not one.std() or not other.std():
        return 0.0
    size = float(abs(np.corrcoef(one, other)[0, 1]))
    return size if size >= SURE else 0.0


def _of_time(values: Sequence[Scalar], answers: Sequence[Answer]) -> float:
    """How well a column tells who had the event, or when: as of classes, or the concordance."""
    events: list[Answer] = [(answer[-1],) for answer in answers]
    who = _of_class(values, events)
    known = [
        (float(value), float(answer[0]), bool(answer[1]))
        for value, answer in zip(values, answers, strict=True)
        if isinstance(value, int | float) and isinstance(answer[0], int | float) and answer[1] is not None
    ]
    if who or len(known) < max(2 * FEWEST, len(values) // 2):
        return who
    some = np.array(known[:: max(1, len(known) // MOST)])
    order = concordance(some[:, 1], some[:, 2] > 0, some[:, 0])
    sure = max(order, 1 - order)
    return sure if sure >= SURE_ORDER else 0.0


def _of_labels(values: Sequence[Scalar], answers: Sequence[Answer]) -> float:
    """How well a column tells one of the labels; what is uncertain of it tells nothing."""
    found = []
    for place in range(len(answers[0]) if answers else 0):
        said = [presence(answer[place]) for answer in answers]
        own: list[Answer] = [(None if one == UNCERTAIN else one,) for one in said]
        found.append(_of_class(values, own))
    return max(found, default=0.0)


TOLD: Mapping[str, Callable[[Sequence[Scalar], Sequence[Answer]], float]] = MappingProxyType(
    {
        "category": _of_class,
        "number": _of_number,
        "time_to_event": _of_time,
        "time_to_first_event": _of_time,
        LABELS: _of_labels,
    }
)
"""Kind of a target to how well a column tells it; 0 where it may do so honestly."""


def _best(values: Sequence[Scalar], truth: Sequence[object]) -> float:
    pairs = [(value, answer) for value, answer in zip(values, truth, strict=True) if None not in (value, answer)]
    if len(pairs) < max(2 * FEWEST, len(values) // 2):
        return 0.0
    column, answers = [value for value, _ in pairs], [answer for _, answer in pairs]
    best = 0.0
    for name in dict.fromkeys(answers):
        mine = np.array([answer == name for answer in answers])
        if min(mine.sum(), (~mine).sum()) >= FEWEST:
            best = max(best, _auroc(_ranked(column, mine), mine))
    return best if best >= SURE else 0.0


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


CHECK: Check = LeakingColumn()
