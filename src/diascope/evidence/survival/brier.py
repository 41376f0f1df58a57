"""Brier score of survival curves, weighted for censoring, over time and at horizons; calibration at a horizon."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from diascope.core.finding import Measure
from diascope.evidence.survival.curves import Flags, Floats, followed, kaplan_meier

nan = float("nan")
POINTS = 100
"""Steps of a curve that a decision keeps."""
TRUSTED = 0.05
"""Below this chance of being followed for so long, the weights are too large to believe."""


@dataclass(frozen=True)
class Followed:
    """How likely it is that a case is followed for so long: a step function.

    Args:
        time: (T,) rising, the first is 0.
        share: (T,) still followed.
    """

    time: Floats
    share: Floats

    @classmethod
    def of(cls, time: Floats, event: Flags, points: int = POINTS) -> Followed:
        """From cases: Kaplan and Meier, with being censored as the event; at most `points` steps."""
        curve = followed(time, event)
        thin = np.unique(np.linspace(0, len(curve.time) - 1, min(len(curve.time), points)).round().astype(int))
        return cls(curve.time[thin], curve.share[thin])

    def chance(self, when: npt.ArrayLike, before: bool = False) -> Floats:
        """At some times, or just before them."""
        place = np.searchsorted(self.time, np.asarray(when, float), side="left" if before else "right") - 1
        return np.asarray(self.share[np.maximum(place, 0)])


def errors(time: Floats, event: Flags, said: Floats, horizons: Sequence[float], followed: Followed) -> Floats:
    """(N, H) weighted squared difference of what was said and what was, at each horizon (Graf 1999).

    The mean over cases is the Brier score. A column is nan where hardly anybody is followed for so long.

    Args:
        time: (N,).
        event: (N,).
        said: (N, H) probability of no event until each horizon.
        horizons: (H,) in the unit of `time`.
        followed: Gives the weights.
    """
    when, seen = np.asarray(time, float)[:, None], np.asarray(event, bool)[:, None]
    asked = np.asarray(horizons, float)[None]
    chance = followed.chance(asked[0])
    had, without = (when <= asked) & seen, when > asked
    weight = np.where(had, 1 / np.maximum(followed.chance(when, before=True), TRUSTED), 0.0)
    weight = np.where(without, 1 / np.maximum(chance, TRUSTED)[None], weight)
    found = weight * (without - np.asarray(said, float)) ** 2
    return np.asarray(np.where((chance >= TRUSTED)[None], found, np.nan))


def brier(each: Floats, index: npt.NDArray[np.intp]) -> float:
    """The Brier score of a choice of cases, with repeats, from one column of `errors`."""
    return float(each[index].mean()) if len(index) else nan


def integrated_brier(each: Floats, horizons: Sequence[float], index: npt.NDArray[np.intp]) -> float:
    """The mean of the Brier score over time, by trapezoids between the horizons at which it is defined."""
    known = np.isfinite(each).all(axis=0)
    if known.sum() < 2 or not len(index):
        return nan
    when = np.asarray(horizons, float)[known]
    return float(np.trapezoid(each[index][:, known].mean(axis=0), when) / (when[-1] - when[0]))


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
