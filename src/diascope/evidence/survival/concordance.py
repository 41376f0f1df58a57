"""Concordance: do those of whom more risk was said have the event sooner? Harrell's, and Uno's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from diascope.evidence.survival.curves import Flags, Floats, followed

nan = float("nan")
MOST = 4000
"""Cases whose pairs are kept for resampling: beyond, every so-many-th case stands for the others."""
BLOCK = 2048
"""Rows of pairs that are compared at once: memory is a block times all cases."""


def concordance(time: Floats, event: Flags, risk: Floats) -> float:
    """Harrell's: of the pairs of which it is known who had the event first, the share told rightly (Harrell 1982).

    A tie of what was said counts half. Pairs with one time are compared only where one of them had no event then.
    nan where no pair can be compared.

    Args:
        time: (N,).
        event: (N,).
        risk: (N,) larger is sooner.
    """
    return _weighted(time, event, risk, np.ones(len(time)))


def concordance_ipcw(
    time: Floats, event: Flags, risk: Floats, until: float | None = None, censoring: tuple[Floats, Flags] | None = None
) -> float:
    """Uno's: each pair weighs by the inverse square of the chance of being followed for so long (Uno 2011).

    Unlike Harrell's it does not hang on how cases were censored.

    Args:
        time: (N,).
        event: (N,).
        risk: (N,) larger is sooner.
        until: Events after that time are left out; None: the last time at which anyone is still followed.
        censoring: Time and event of the cases that the chance of being followed is told from; None: these.
    """
    limit = np.inf if until is None else until
    chance = followed(*(censoring or (time, event))).before(time)
    counted = np.asarray(event, bool) & (time < limit) & (chance > 0)
    weights = np.where(counted, 1 / np.maximum(chance, 1e-12) ** 2, 0.0)
    return _weighted(time, event, risk, weights)


def _weighted(time: Floats, event: Flags, risk: Floats, weights: Floats) -> float:
    time, risk, event = np.asarray(time, float), np.asarray(risk, float), np.asarray(event, bool)
    right = total = 0.0
    firsts = np.flatnonzero(event & (weights > 0))
    for start in range(0, len(firsts), BLOCK):
        some = firsts[start : start + BLOCK]
        later = (time[some, None] < time[None]) | ((time[some, None] == time[None]) & ~event[None])
        better = (risk[some, None] > risk[None]) + 0.5 * (risk[some, None] == risk[None])
        each: npt.NDArray[np.float64] = weights[some, None] * later
        total += float(each.sum())
        right += float((each * better).sum())
    return right / total if total else nan


@dataclass(frozen=True)
class Pairs:
    """All pairs of cases, compared once, so that a thousand resamples cost a product each.

    Args:
        right: (M, N) weight of each comparable pair times how right it was told; row: who had the event first.
        total: (M, N) weight of each comparable pair.
        firsts: (M,) case of each row.
    """

    right: npt.NDArray[np.float32]
    total: npt.NDArray[np.float32]
    firsts: npt.NDArray[np.intp]

    @classmethod
    def of(cls, time: Floats, event: Flags, risk: Floats, weights: Floats) -> Pairs:
        """From (N,) each; `weights` of the case that had the event first."""
        time, risk = np.asarray(time, float), np.asarray(risk, float)
        firsts = np.flatnonzero(np.asarray(event, bool) & (weights > 0))
        later = (time[firsts, None] < time[None]) | ((time[firsts, None] == time[None]) & ~event[None])
        total = (weights[firsts, None] * later).astype(np.float32)
        better = (risk[firsts, None] > risk[None]) + np.float32(0.5) * (risk[firsts, None] == risk[None])
        return cls((total * better).astype(np.float32), total, firsts)

    def share(self, index: npt.NDArray[np.intp]) -> float:
        """Concordance of a choice of cases, with repeats."""
        times = np.bincount(index, minlength=self.right.shape[1]).astype(np.float32)
        rows = times[self.firsts]
        total = float(rows @ self.total @ times)
        return float(rows @ self.right @ times) / total if total else nan


def uno_weights(time: Floats, event: Flags) -> Floats:
    """(N,) inverse square of the chance of being followed for so long; 0 for those without an event."""
    chance = followed(time, event).before(time)
    return np.asarray(np.where(np.asarray(event, bool) & (chance > 0), 1 / np.maximum(chance, 1e-12) ** 2, 0.0))
