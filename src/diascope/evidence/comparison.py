"""Two models on the same cases: what differs, with an interval, because both are wrong about the same patients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from diascope.core.errors import BadUsage
from diascope.core.finding import Measure
from diascope.core.record import Record
from diascope.evidence.delong import Ranking, paired_delong
from diascope.evidence.intervals import (
    RESAMPLES,
    Interval,
    Measurable,
    from_resamples,
    resample,
    why_none,
    with_interval,
)
from diascope.evidence.resampling import Indices, clusters


class Comparison(Record):
    """One statistic of two models on the same cases."""

    one: float | None
    """Value of the first model; None where undefined."""
    other: float | None
    difference: Measure
    """`one - other`, with its 95 % interval."""
    p: float | None
    """Two-sided p of no difference; None where no interval is given either."""
    method: Literal["paired cluster bootstrap", "paired clustered DeLong"]


class Comparable(Measurable, Protocol):
    """A statistic of which two models can be compared: the shape of `engine.task.Statistic`."""

    @property
    def ranking(self) -> Ranking | None: ...


@dataclass(frozen=True)
class _Difference:
    """The difference of two statistics, as a `Measurable`."""

    name: str
    of: Callable[[Indices], float]
    unit: str = "1"
    interval: Interval | None = None
    counts: npt.NDArray[Any] | None = None


def compare(
    one: Sequence[Comparable],
    other: Sequence[Comparable],
    patients: Sequence[str],
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Comparison]:
    """Every statistic that both models have: by paired clustered DeLong where it is an AUROC (both have a `ranking`).

    All others by paired cluster bootstrap: one resample of patients serves both models.

    Args:
        one: Statistics of the first model.
        other: Statistics of the second, on the same cases in the same order.
        patients: (N,) patient key of each case.
        resamples: Number of resamples.
        seed: Of the resamples.

    Raises:
        BadUsage: When an AUROC of the two models is that of different classes.
    """
    theirs = {statistic.name: statistic for statistic in other}
    both = [(mine, theirs[mine.name]) for mine in one if mine.name in theirs]
    exact = {
        mine.name: _by_delong(mine.name, mine.ranking, its.ranking, patients, mine.counts)
        for mine, its in both
        if mine.ranking is not None and its.ranking is not None
    }
    rest = {mine.name: (mine, its) for mine, its in both if mine.name not in exact}
    found = exact | _by_bootstrap(rest, patients, resamples, seed)
    return {mine.name: found[mine.name] for mine, _ in both}


def _by_bootstrap(
    pairs: Mapping[str, tuple[Measurable, Measurable]], patients: Sequence[str], resamples: int, seed: int
) -> dict[str, Comparison]:
    everyone = np.arange(len(patients))
    values = {name: (float(mine.of(everyone)), float(its.of(everyone))) for name, (mine, its) in pairs.items()}
    plain = {name: _plain(*values[name], mine, patients) for name, (mine, _) in pairs.items()}
    wanted: dict[str, Measurable] = {
        name: _Difference(name, _minus(*pair)) for name, pair in pairs.items() if not plain[name].note
    }
    drawn = resample(wanted, groups := clusters(patients), everyone, resamples, seed)
    found = {}
    for name in pairs:
        difference = from_resamples(plain[name], drawn[name], groups.patients) if name in drawn else plain[name]
        p = _bootstrap_p(drawn[name]) if difference.low is not None else None
        found[name] = _comparison(*values[name], difference, p, "paired cluster bootstrap")
    return found


def _by_delong(
    name: str, one: Ranking, other: Ranking, patients: Sequence[str], counts: npt.NDArray[Any] | None
) -> Comparison:
    if not np.array_equal(one.truth, other.truth):
        raise BadUsage(
            f"{name} of the two models is that of different positive cases",
            given=f"{int(one.truth.sum())} and {int(other.truth.sum())} of {one.truth.size}",
            todo="Compare models of the same target and the same positive class",
        )
    return compare_auroc(one.truth, one.said, other.said, patients, counts)


def compare_auroc(
    truth: npt.NDArray[Any],
    one: npt.NDArray[Any],
    other: npt.NDArray[Any],
    patients: Sequence[str],
    counts: npt.NDArray[Any] | None = None,
) -> Comparison:
    """AUROC of two models on the same cases by paired clustered DeLong.

    Args:
        truth: (N,) bool.
        one: (N,) probabilities of the first model.
        other: (N,) probabilities of the second.
        patients: (N,) patient key of each case.
        counts: (N,) class of each case, as the notes call it; None: the truth.
    """
    strata = np.asarray(truth).astype(bool) if counts is None else counts
    found = paired_delong(truth, one, other, patients)
    if np.isnan(found.difference):
        difference = Measure(value=None, note="undefined for these cases")
    else:
        difference = Measure(value=found.difference, note=why_none(patients, strata))
    if not difference.note:
        difference = with_interval(difference, found.low, found.high)
    p = found.p if difference.low is not None else None
    return _comparison(found.one, found.other, difference, p, "paired clustered DeLong")


def _minus(one: Measurable, other: Measurable) -> Callable[[Indices], float]:
    return lambda cases: one.of(cases) - other.of(cases)


def _plain(one: float, other: float, statistic: Measurable, patients: Sequence[str]) -> Measure:
    difference = one - other
    if np.isnan(difference):
        return Measure(value=None, unit=statistic.unit, note="undefined for these cases")
    return Measure(value=difference, unit=statistic.unit, note=why_none(patients, statistic.counts))


def _bootstrap_p(differences: npt.NDArray[np.float64]) -> float:
    """Twice the smaller share of resamples on either side of no difference (Davison and Hinkley 1997, 4.2.3)."""
    defined = differences[~np.isnan(differences)]
    tail = min(np.count_nonzero(defined <= 0), np.count_nonzero(defined >= 0))
    return float(min(1.0, 2 * (tail + 1) / (defined.size + 1)))


def _comparison(
    one: float,
    other: float,
    difference: Measure,
    p: float | None,
    method: Literal["paired cluster bootstrap", "paired clustered DeLong"],
) -> Comparison:
    return Comparison(one=_defined(one), other=_defined(other), difference=difference, p=p, method=method)


def _defined(value: float) -> float | None:
    return None if np.isnan(value) else value
