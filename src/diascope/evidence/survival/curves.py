"""Kaplan-Meier curves, and the log-rank test of several groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri
from scipy.stats import chi2

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Curve:
    """A step function of time: `share[i]` holds from `time[i]` until the next time.

    Args:
        time: (T,) rising, the first is 0.
        share: (T,) without the event.
        low, high: (T,) 95 % interval of the share (log-log, Greenwood); 1 at the start.
        at_risk: (T,) cases that are followed at that time.
    """

    time: Floats
    share: Floats
    low: Floats
    high: Floats
    at_risk: npt.NDArray[np.intp]

    def at(self, when: npt.ArrayLike) -> Floats:
        """The share at some times; nan beyond the last follow-up."""
        asked = np.asarray(when, float)
        place = np.searchsorted(self.time, asked, side="right") - 1
        found = self.share[np.maximum(place, 0)]
        return np.asarray(np.where(asked > self.time[-1], np.nan, found))

    def before(self, when: npt.ArrayLike) -> Floats:
        """The share just before some times (the left limit)."""
        place = np.searchsorted(self.time, np.asarray(when, float), side="left") - 1
        return np.asarray(self.share[np.maximum(place, 0)])

    @property
    def median(self) -> float:
        """The first time at which at most half are left without the event; nan where more are until the end."""
        below = np.flatnonzero(self.share <= 0.5)
        return float(self.time[below[0]]) if below.size else float("nan")


def kaplan_meier(time: Floats, event: Flags) -> Curve:
    """The product limit of Kaplan and Meier (1958); its interval by Greenwood's variance of log(-log S)."""
    times, deaths, at_risk = counts(time, event)
    share = np.cumprod(1 - deaths / np.maximum(at_risk, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.cumsum(deaths / (at_risk * (at_risk - deaths)))
        logs = np.log(share)
        half = float(ndtri(0.975)) * np.sqrt(variance) / np.abs(logs)
        low, high = share ** np.exp(half), share ** np.exp(-half)
    sound = (share > 0) & (share < 1)
    low, high = np.where(sound, low, np.where(share >= 1, 1.0, 0.0)), np.where(sound, high, share)
    start = [0.0] if not times.size or times[0] > 0 else []
    one = [1.0] * len(start)
    return Curve(
        np.r_[start, times],
        np.r_[one, share],
        np.r_[one, low],
        np.r_[one, high],
        np.r_[[len(time)] * len(start), at_risk].astype(np.intp),
    )


def followed(time: Floats, event: Flags) -> Curve:
    """The share that is still followed: being lost as the event; of one time, events come before losses."""
    times, deaths, at_risk = counts(time, event)
    _, lost, _ = counts(time, ~np.asarray(event, bool))
    share = np.cumprod(1 - lost / np.maximum(at_risk - deaths, 1))
    start = [0.0] if not times.size or times[0] > 0 else []
    one = [1.0] * len(start)
    whole = np.r_[one, share]
    return Curve(np.r_[start, times], whole, whole, whole, np.r_[[len(time)] * len(start), at_risk].astype(np.intp))


def counts(time: Floats, event: Flags) -> tuple[Floats, Floats, Floats]:
    """Times at which anything happens (T,), events at each, and cases that are followed until then."""
    times, where = np.unique(np.asarray(time, float), return_inverse=True)
    deaths = np.bincount(where, weights=np.asarray(event, float), minlength=len(times))
    leaving = np.bincount(where, minlength=len(times)).astype(np.float64)
    at_risk = len(where) - np.r_[0, np.cumsum(leaving)[:-1]] if len(times) else np.zeros(0)
    return times, deaths.astype(np.float64), np.asarray(at_risk, float)


def log_rank(time: Floats, event: Flags, group: npt.NDArray[np.intp]) -> tuple[float, float]:
    """Chi-square and p of no difference between the survival of the groups (Mantel 1966); nan with fewer than two.

    Args:
        time: (N,).
        event: (N,).
        group: (N,) number of the group.
    """
    known = np.unique(group)
    if len(known) < 2 or not np.asarray(event, bool).any():
        return float("nan"), float("nan")
    times = np.unique(time[event])
    at_risk = np.array([[np.sum((time >= when) & (group == one)) for when in times] for one in known], float)
    deaths = np.array([[np.sum((time == when) & event & (group == one)) for when in times] for one in known], float)
    whole, dying = at_risk.sum(axis=0), deaths.sum(axis=0)
    excess = (deaths - at_risk * dying / whole).sum(axis=1)
    factor = dying * np.divide(whole - dying, whole - 1, out=np.zeros_like(whole), where=whole > 1)
    shares = at_risk / whole
    covariance = np.diag((shares * factor).sum(axis=1)) - (shares * factor) @ shares.T
    # One group follows from the others.
    kept = covariance[:-1, :-1]
    if np.linalg.matrix_rank(kept) < len(kept):
        return float("nan"), float("nan")
    value = float(excess[:-1] @ np.linalg.solve(kept, excess[:-1]))
    return value, float(chi2.sf(value, len(known) - 1))


def at_risk_at(curve: Curve, when: Sequence[float]) -> list[int]:
    """How many cases are followed until each of some times."""
    place = np.searchsorted(curve.time, np.asarray(when, float), side="left")
    padded = np.r_[curve.at_risk, 0]
    return [int(padded[min(index, len(padded) - 1)]) for index in place]
