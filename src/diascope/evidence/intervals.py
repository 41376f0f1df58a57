"""Values with 95 % intervals: cluster bootstrap by patient, and "too few" where an interval would pretend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, stdtrit

from diascope.core.errors import BadUsage
from diascope.core.finding import Measure
from diascope.evidence.resampling import Clusters, Indices, clusters

FEWEST_PATIENTS = 20
"""Below this number of patients no interval is given."""
FEWEST_IN_CLASS = 5
"""Nor below this number of patients in any class, for a statistic that has classes."""
RESAMPLES = 1000
_MOST_UNDEFINED = 0.05
"""Largest share of resamples in which a statistic may be undefined."""

Interval = Callable[[Sequence[str]], tuple[float, float]]


class Measurable(Protocol):
    """A statistic of cases: the shape of `engine.task.Statistic`."""

    @property
    def name(self) -> str: ...
    @property
    def of(self) -> Callable[[Indices], float]: ...
    @property
    def unit(self) -> str: ...
    @property
    def interval(self) -> Interval | None: ...
    @property
    def counts(self) -> npt.NDArray[Any] | None: ...


@dataclass(frozen=True)
class _Given:
    """The arguments of `measure` as a `Measurable`."""

    name: str
    of: Callable[[Indices], float]
    unit: str
    interval: Interval | None
    counts: npt.NDArray[Any] | None


def measure(
    statistic_of: Callable[[Indices], float],
    patients: Sequence[str],
    unit: str = "1",
    counts: npt.NDArray[Any] | None = None,
    interval: Interval | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Measure:
    """One statistic with its 95 % interval.

    Args:
        statistic_of: Indices of cases (with repeats) to a value; nan where undefined.
        patients: (N,) patient key of each case.
        unit: UCUM.
        counts: (N,) class of each case, where the patients in a class limit what may be claimed.
        interval: The statistic's own interval (clustered DeLong), instead of the bootstrap.
        resamples: Number of resamples.
        seed: Of the resamples.

    Returns:
        The value; low and high, or None and the reason in `note`.

    Example:
        >>> right = np.array([1.0, 1.0, 0.0, 1.0] * 10)
        >>> found = measure(lambda cases: right[cases].mean(), [f"patient-{number}" for number in range(40)])
        >>> found.value, found.low < 0.75 < found.high
        (0.75, True)
    """
    given = _Given("", statistic_of, unit, interval, counts)
    return measures([given], patients, resamples=resamples, seed=seed)[""]


def measures(
    statistics: Sequence[Measurable],
    patients: Sequence[str],
    cases: Indices | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Measure]:
    """Many statistics with their 95 % intervals, on the same resamples.

    Args:
        statistics: What to measure.
        patients: (N,) patient key of each case.
        cases: Indices of a subgroup; the statistics' own intervals, which know all cases only, are then not used.
        resamples: Number of resamples.
        seed: Of the resamples.

    Raises:
        BadUsage: When two statistics share a name, or a stratum is not given for each case.
    """
    _check(statistics, len(patients))
    chosen = np.arange(len(patients)) if cases is None else np.asarray(cases, np.intp)
    keys = [patients[index] for index in chosen]
    groups = clusters(keys)
    found: dict[str, Measure] = {}
    resampled: dict[str, Measurable] = {}
    for statistic in statistics:
        value = float(statistic.of(chosen)) if chosen.size else np.nan
        strata = None if statistic.counts is None else statistic.counts[chosen]
        found[statistic.name] = plain = _plain(value, statistic.unit, why_none(keys, strata))
        if plain.value is None or plain.note:
            continue
        if statistic.interval is not None and cases is None:
            found[statistic.name] = with_interval(plain, *statistic.interval(patients))
        else:
            resampled[statistic.name] = statistic
    for name, values in resample(resampled, groups, chosen, resamples, seed).items():
        found[name] = from_resamples(found[name], values, groups.patients)
    return {statistic.name: found[statistic.name] for statistic in statistics}


def why_none(patients: Sequence[str], strata: npt.NDArray[Any] | None = None) -> str:
    """Why no interval may be given: "too few: 12 patients", or nothing.

    Args:
        patients: (N,) patient key of each case.
        strata: (N,) class of each case, where classes limit what may be claimed; "" where a case counts for none.
    """
    number = len(set(patients))
    if number < FEWEST_PATIENTS:
        return f"too few: {_patients(number)}"
    if strata is None:
        return ""
    seen: dict[Any, set[str]] = {}
    for stratum, patient in zip(np.asarray(strata).tolist(), patients, strict=True):
        seen.setdefault(stratum, set()).add(patient)
    seen.pop("", None)
    stratum, members = min(seen.items(), key=lambda item: len(item[1]), default=("", set(patients)))
    return f"too few: {_patients(len(members))} in class {stratum}" if len(members) < FEWEST_IN_CLASS else ""


def resample(
    statistics: dict[str, Measurable], groups: Clusters, cases: Indices, resamples: int, seed: int
) -> dict[str, npt.NDArray[np.float64]]:
    """The values (resamples,) of each statistic; a resample is drawn once and serves all of them."""
    values = {name: np.full(resamples, np.nan) for name in statistics}
    if statistics:
        for number, drawn in enumerate(groups.resamples(resamples, seed)):
            indices = cases[drawn]
            for name, statistic in statistics.items():
                values[name][number] = statistic.of(indices)
    return values


def from_resamples(plain: Measure, values: npt.NDArray[np.float64], patients: int) -> Measure:
    """The expanded percentile interval of bootstrap values (Hesterberg 2015).

    Percentiles of the bootstrap are too narrow in small samples, for the two reasons for which a t interval is wider
    than the naive normal one; the levels are moved out accordingly. It stays within the range of the statistic.

    Args:
        plain: Value and unit.
        values: (resamples,) nan where undefined.
        patients: Number of patients.
    """
    undefined = np.isnan(values)
    if undefined.mean() > _MOST_UNDEFINED:
        share = f"undefined in {undefined.mean():.0%} of the resamples"
        return plain.model_copy(update={"note": f"too few: {share}"})
    level = float(ndtr(np.sqrt(patients / (patients - 1)) * stdtrit(patients - 1, 0.025)))
    # "lower"/"higher": no interpolation, which fails next to infinite values.
    defined = values[~undefined]
    low = float(np.quantile(defined, level, method="lower"))
    high = float(np.quantile(defined, 1 - level, method="higher"))
    return with_interval(plain, low, high)


def with_interval(plain: Measure, low: float, high: float) -> Measure:
    """The measure with an interval, unless that has no width: then nothing varied, and nothing is known about it.

    The bootstrap of a statistic that is biased in small samples (the calibration error) may miss the value itself; the
    interval is then stretched to it and says so.
    """
    if not low < high:
        return plain.model_copy(update={"note": "no interval: the cases do not vary"})
    value = plain.value if plain.value is not None else low
    stretched = not low <= value <= high
    note = "biased in small samples; interval stretched to the value" if stretched else ""
    return plain.model_copy(update={"low": min(low, value), "high": max(high, value), "note": note})


def _plain(value: float, unit: str, note: str) -> Measure:
    if np.isnan(value):
        return Measure(value=None, unit=unit, note="undefined for these cases")
    return Measure(value=value, unit=unit, note=note)


def _patients(number: int) -> str:
    return f"{number} patient" if number == 1 else f"{number} patients"


def _check(statistics: Sequence[Measurable], cases: int) -> None:
    names = [statistic.name for statistic in statistics]
    if len(set(names)) != len(names):
        raise BadUsage("two statistics share a name", given=", ".join(sorted(names)))
    for statistic in statistics:
        if statistic.counts is not None and len(statistic.counts) != cases:
            given = f"{len(statistic.counts)} strata, {cases} cases"
            raise BadUsage(f"{statistic.name} needs the stratum of each case", given=given)
