"""How well two readers agree about the same cases, each statistic with a 95 % interval that knows patients.

Neither reader is the truth: every statistic is the same with the two exchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from diascope.core.errors import BadUsage
from diascope.core.finding import Measure
from diascope.evidence.boxes.matching import Floats, overlaps
from diascope.evidence.intervals import Interval, measures
from diascope.evidence.proportions import proportion
from diascope.evidence.resampling import Indices

Whole = npt.NDArray[np.intp]
nan = float(np.nan)

OVERLAP = 0.5
"""Intersection over union from which on two boxes are the same."""


@dataclass(frozen=True)
class _Statistic:
    """The shape of `intervals.Measurable`."""

    name: str
    of: Callable[[Indices], float]
    unit: str = "1"
    interval: Interval | None = None
    counts: npt.NDArray[np.str_] | None = None


def cohen_kappa(one: Whole, other: Whole) -> float:
    """Agreement beyond chance (Cohen 1960); nan without cases, and where chance alone agrees always.

    Args:
        one: (N,) class numbers of a reader.
        other: (N,) those of the other.

    Example:
        >>> cohen_kappa(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]))
        0.5
    """
    if not one.size:
        return nan
    classes = int(max(one.max(), other.max())) + 1
    agreed = float(np.mean(one == other))
    shares = (np.bincount(given, minlength=classes) / given.size for given in (one, other))
    chance = float(np.dot(*shares))
    return (agreed - chance) / (1 - chance) if chance < 1 else nan


def specific_agreement(one: Whole, other: Whole, value: int) -> float:
    """Of all times that a reader said `value`, the share in which the other said so too (Cicchetti, Feinstein 1990).

    For 1 it is the positive agreement, for 0 the negative one; nan where nobody said it. Kappa can be low where both
    are high, for it depends on how common a finding is: so the two stand beside it.
    """
    both = int(np.count_nonzero((one == value) & (other == value)))
    times = int(np.count_nonzero(one == value)) + int(np.count_nonzero(other == value))
    return 2 * both / times if times else nan


def of_classes(
    one: Sequence[frozenset[str]],
    other: Sequence[frozenset[str]],
    labels: Sequence[str],
    exclusive: bool,
    patients: Sequence[str],
) -> dict[str, Measure]:
    """Agreement about the classes of cases.

    Args:
        one: (N,) labels that a reader gave each case.
        other: (N,) those of the other reader.
        labels: All that can be given.
        exclusive: Whether a case has one of them.
        patients: (N,) patient key of each case.

    Returns:
        `agreement` (share of cases with the same labels); `kappa` where one label holds, else `kappa/<label>`;
        `positive/<label>`, `negative/<label>`.

    Raises:
        BadUsage: When the two are not of the same cases.
    """
    if not len(one) == len(other) == len(patients):
        raise BadUsage("agreement is of the same cases", given=f"{len(one)}, {len(other)}, {len(patients)}")
    same = np.array([mine == theirs for mine, theirs in zip(one, other, strict=True)], bool)
    found = [_share("agreement", same)]
    if exclusive:
        found.append(_kappa("kappa", *(_places(each, labels) for each in (one, other))))
    for label in labels:
        mine, theirs = (np.array([label in each for each in given], np.intp) for given in (one, other))
        if not exclusive:
            found.append(_kappa(f"kappa/{label}", mine, theirs))
        found.append(_specific(f"positive/{label}", mine, theirs, 1))
        found.append(_specific(f"negative/{label}", mine, theirs, 0))
    return measures(found, patients)


def of_values(name: str, values: Sequence[float], patients: Sequence[str]) -> dict[str, Measure]:
    """The mean of a statistic of each case, such as the Dice coefficient of two masks.

    Args:
        name: Of the statistic.
        values: (N,) nan where it is undefined: such cases do not count.
        patients: (N,) patient key of each case.
    """
    table = np.asarray(values, np.float64)
    defined = np.flatnonzero(~np.isnan(table))
    kept = table[defined]
    statistic = _Statistic(name, lambda cases: float(kept[cases].mean()) if cases.size else nan)
    return measures([statistic], [patients[int(index)] for index in defined])


def paired_boxes(one: Floats, other: Floats, least: float = OVERLAP) -> int:
    """How many boxes of one label in one case are the same in both: the largest number of disjoint pairs.

    Args:
        one: (N, 6) start and stop (z, y, x), half-open.
        other: (M, 6).
        least: Intersection over union of a pair.
    """
    if not len(one) or not len(other):
        return 0
    fits = overlaps(one, other) >= least
    return int(fits[linear_sum_assignment(fits, maximize=True)].sum())


def of_boxes(name: str, counts: Sequence[tuple[int, int, int]], patients: Sequence[str]) -> dict[str, Measure]:
    """F1 of two readers' boxes, of all cases together: 2 × pairs / all boxes; undefined where nobody drew any.

    Args:
        name: Of the statistic.
        counts: (N,) of each case: pairs, boxes of one reader, boxes of the other.
        patients: (N,) patient key of each case.
    """
    table = np.asarray(counts, np.float64).reshape(-1, 3)

    def f1(cases: Indices) -> float:
        pairs, mine, theirs = table[cases].sum(axis=0)
        return float(2 * pairs / (mine + theirs)) if mine + theirs else nan

    return measures([_Statistic(name, f1)], patients)


def _places(given: Sequence[frozenset[str]], labels: Sequence[str]) -> Whole:
    """Class numbers; one more than there are for a case without any."""
    found = [next((number for number, label in enumerate(labels) if label in each), len(labels)) for each in given]
    return np.array(found, np.intp)


def _share(name: str, same: npt.NDArray[np.bool_]) -> _Statistic:
    def interval(patients: Sequence[str]) -> tuple[float, float]:
        return proportion(same, patients)[1:]

    return _Statistic(name, lambda cases: float(same[cases].mean()) if cases.size else nan, interval=interval)


def _kappa(name: str, one: Whole, other: Whole) -> _Statistic:
    return _Statistic(name, lambda cases: cohen_kappa(one[cases], other[cases]))


def _specific(name: str, one: Whole, other: Whole, value: int) -> _Statistic:
    of = partial(specific_agreement, value=value)
    return _Statistic(name, lambda cases: of(one[cases], other[cases]))
