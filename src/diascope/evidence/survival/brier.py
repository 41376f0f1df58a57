"""Brier score of survival curves, weighted for censoring, over time and at horizons; calibration at a horizon."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from diascope.core.finding import Measure
from diascope.evidence.survival.curves import Flags, Floats, kaplan_meier

nan = float("nan")
TRUSTED = 0.05
"""Below this chance of being followed for so long, the weights are too large to believe."""


@dataclass(frozen=True)
class Followed:
    """How likely it is that a case is followed for so long; told from training or from the cases themselves."""

    time: Floats
    event: Flags

    def chance(self, when: Floats, before: bool = False) -> Floats:
        """At some times, or just before them; 0 beyond the last follow-up."""
        curve = kaplan_meier(np.asarray(self.time, float), ~np.asarray(self.event, bool))
        return curve.before(when) if before else np.nan_to_num(curve.at(when), nan=0.0)


def brier(
    time: Floats, event: Flags, said: Floats, horizon: float, followed: Followed, index: npt.NDArray[np.intp]
) -> float:
    """Mean squared difference of what was said and what was, at a horizon (Graf 1999).

    Args:
        time: (N,).
        event: (N,).
        said: (N,) probability of no event until the horizon.
        horizon: In the unit of `time`.
        followed: Gives the weights of the cases that were followed until then.
        index: Cases that are scored, with repeats.

    Returns:
        nan where hardly anybody is followed for so long.
    """
    time, event, said = np.asarray(time, float)[index], np.asarray(event, bool)[index], np.asarray(said)[index]
    at_horizon = float(followed.chance(np.array([horizon]))[0])
    if not len(index) or at_horizon < TRUSTED:
        return nan
    had = (time <= horizon) & event
    without = time > horizon
    weight = np.where(had, 1 / np.maximum(followed.chance(time, before=True), TRUSTED), 0.0)
    weight = np.where(without, 1 / at_horizon, weight)
    return float((weight * (without - said) ** 2).sum() / len(index))


def integrated_brier(
    time: Floats,
    event: Flags,
    curves: Floats,
    horizons: Sequence[float],
    followed: Followed,
    index: npt.NDArray[np.intp],
) -> float:
    """The mean of the Brier score over time, by trapezoids between horizons at which it is defined.

    Args:
        time: (N,).
        event: (N,).
        curves: (N, H) probability of no event until each horizon.
        horizons: (H,) rising.
        followed: As for `brier`.
        index: Cases that are scored, with repeats.
    """
    values = np.array([brier(time, event, curves[:, n], when, followed, index) for n, when in enumerate(horizons)])
    known = np.isfinite(values)
    if known.sum() < 2:
        return nan
    when = np.asarray(horizons, float)[known]
    return float(np.trapezoid(values[known], when) / (when[-1] - when[0]))


@dataclass(frozen=True)
class RiskBin:
    """Cases of like risk: what was said, and what Kaplan and Meier say was."""

    said: float
    seen: Measure
    cases: int


def calibration(time: Floats, event: Flags, said: Floats, horizon: float, bins: int = 5) -> tuple[RiskBin, ...]:
    """Probability of the event until a horizon, in bins of equal mass: said against Kaplan and Meier.

    Args:
        time: (N,).
        event: (N,).
        said: (N,) probability of no event until the horizon.
        horizon: In the unit of `time`.
        bins: At most so many, of 10 cases at least.
    """
    count = max(1, min(bins, len(said) // 10))
    order = np.argsort(1 - np.asarray(said), kind="stable")
    found = []
    for part in np.array_split(order, count):
        if not part.size:
            continue
        curve = kaplan_meier(np.asarray(time, float)[part], np.asarray(event, bool)[part])
        place = int(np.searchsorted(curve.time, horizon, side="right")) - 1
        beyond = horizon > curve.time[-1] and curve.share[-1] > 0
        seen = (
            Measure(value=None, note="nobody is followed for so long")
            if beyond
            else Measure(
                value=float(1 - curve.share[place]),
                low=float(1 - curve.high[place]),
                high=float(1 - curve.low[place]),
            )
        )
        found.append(RiskBin(float(1 - np.asarray(said)[part].mean()), seen, len(part)))
    return tuple(found)
