"""Several kinds of event of which the first one ends the others: how likely each is until a time, and how well told.

Death before relapse is no relapse that was not seen yet: counted as censored, it would make relapse look more likely
than it is. Incidence is estimated by Aalen and Johansen (1978); what is said of a cause is compared with who had
it, and who had another event counts as followed without it for ever (Wolbers 2009, 2014).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import log_softmax, ndtri

from diascope.evidence.survival import grid
from diascope.evidence.survival.brier import TRUSTED, Followed
from diascope.evidence.survival.concordance import Pairs
from diascope.evidence.survival.curves import Curve, Flags, Floats, counts

Codes = npt.NDArray[np.intp]
"""0: none seen; from 1 on: which event."""
WIDEST = 20.0
"""Of a half interval on the scale of log(-log): the whole range."""


def told(time: npt.ArrayLike, code: npt.ArrayLike, edges: Sequence[float]) -> npt.NDArray[np.int64]:
    """(N, K) what each interval says of a case: the event, 0 none, -1 nothing (it was not seen so long)."""
    which = np.asarray(code, np.int64)
    said = grid.told(time, which > 0, edges)
    return np.where(np.isnan(said), -1, np.nan_to_num(said).astype(np.int64) * which[:, None])


def incidence(logits: npt.ArrayLike) -> Floats:
    """(N, C, K) logits of the hazards of each event, against none of them, to (N, C, K + 1) shares that had it."""
    logs = log_softmax(_with_none(np.asarray(logits, float)), axis=1)
    left = np.exp(np.cumsum(logs[:, :1], axis=2))
    before = np.concatenate([np.ones_like(left[:, :, :1]), left[:, :, :-1]], axis=2)
    found = np.cumsum(before * np.exp(logs[:, 1:]), axis=2)
    return np.concatenate([np.zeros_like(found[:, :, :1]), found], axis=2)


def _with_none(logits: Floats) -> Floats:
    return np.concatenate([np.zeros_like(logits[:, :1]), logits], axis=1)


def at(curves: Floats, edges: Sequence[float], when: npt.ArrayLike) -> Floats:
    """(N, K + 1) shares at the edges to (N, H) at some times; straight within an interval, flat after the last."""
    asked = np.atleast_1d(np.asarray(when, float))
    return np.stack([np.interp(asked, edges, line) for line in curves]).reshape(len(curves), len(asked))


def recalibration(logits: Floats, time: Floats, code: Codes, edges: Sequence[float]) -> list[float]:
    """Slope of all, and offset of each event's logits, with the least negative log-likelihood; 1 and 0 without events.

    Below `grid.FEWEST_FOR_SLOPE` events the slope stays 1.
    """
    causes = logits.shape[1]
    wanted = told(time, code, edges)
    places, intervals = np.nonzero(wanted >= 0)
    if not (code > 0).any() or not places.size:
        return [1.0, *[0.0] * causes]
    scores, truth = logits[places, :, intervals], wanted[places, intervals]
    sloped = int((code > 0).sum()) >= grid.FEWEST_FOR_SLOPE

    def loss(values: Floats) -> float:
        slope, offsets = (values[0], values[1:]) if sloped else (1.0, values)
        logs = log_softmax(_with_none(slope * scores + offsets), axis=1)
        return float(-logs[np.arange(len(truth)), truth].mean())

    start = np.r_[[1.0] * sloped, np.zeros(causes)]
    found = minimize(loss, start, method="L-BFGS-B", bounds=[(0.05, 5.0)] * sloped + [(-10.0, 10.0)] * causes).x
    return [float(one) for one in (found if sloped else np.r_[1.0, found])]


def errors(
    time: Floats, code: Codes, cause: int, said: Floats, horizons: Sequence[float], followed: Followed
) -> Floats:
    """(N, H) weighted squared difference of what was said of a cause and what was (as `brier.errors`).

    Args:
        time: (N,).
        code: (N,).
        cause: From 1 on.
        said: (N, H) probability of this event until each horizon.
        horizons: (H,) in the unit of `time`.
        followed: Gives the weights.
    """
    when, asked = np.asarray(time, float)[:, None], np.asarray(horizons, float)[None]
    ended = (when <= asked) & (code > 0)[:, None]
    had = ended & (code == cause)[:, None]
    chance = followed.chance(asked[0])
    weight = np.where(ended, 1 / np.maximum(followed.chance(when, before=True), TRUSTED), 0.0)
    weight = np.where(when > asked, 1 / np.maximum(chance, TRUSTED)[None], weight)
    return np.asarray(np.where((chance >= TRUSTED)[None], weight * (had - np.asarray(said, float)) ** 2, np.nan))


def pairs(time: Floats, code: Codes, cause: int, risk: Floats) -> Pairs:
    """Pairs of who had a cause, and who had it later or never; who had another event never has it."""
    return Pairs.of(never(time, code, cause), code == cause, risk, np.ones(len(time)))


def never(time: Floats, code: Codes, cause: int) -> Floats:
    """(N,) times, without an end where another event came first."""
    other: Flags = (code > 0) & (code != cause)
    return np.where(other, np.inf, np.asarray(time, float))


def aalen_johansen(time: Floats, code: Codes, cause: int) -> Curve:
    """The share that had a cause by each time, with its 95 % interval (log-log; variance of Marubini and Valsecchi).

    Args:
        time: (N,).
        code: (N,).
        cause: From 1 on.
    """
    times, any_event, at_risk = counts(time, code > 0)
    _, mine, _ = counts(time, code == cause)
    left = np.cumprod(1 - any_event / np.maximum(at_risk, 1))
    before = np.asarray(np.r_[1.0, left[:-1]] if times.size else left, float)
    jump = before * mine / np.maximum(at_risk, 1)
    share = np.clip(np.cumsum(jump), 0.0, 1.0)
    low, high = _interval(share, _variance(share, before, (any_event, mine, at_risk)))
    start = [0.0] if not times.size or times[0] > 0 else []
    zero = [0.0] * len(start)
    at_risk = np.r_[[len(time)] * len(start), at_risk].astype(np.intp)
    return Curve(np.r_[start, times], np.r_[zero, share], np.r_[zero, low], np.r_[zero, high], at_risk)


def _variance(share: Floats, before: Floats, seen: tuple[Floats, Floats, Floats]) -> Floats:
    """Of the incidence at each time: sums over the times before it, opened so that one pass is enough."""
    any_event, mine, at_risk = seen
    with np.errstate(divide="ignore", invalid="ignore"):
        lost = np.nan_to_num(any_event / (at_risk * (at_risk - any_event)), posinf=0.0)
        own = before**2 * mine * (at_risk - mine) / at_risk**3
        both = before * mine / at_risk**2
    first = share**2 * np.cumsum(lost) - 2 * share * np.cumsum(lost * share) + np.cumsum(lost * share**2)
    cross = share * np.cumsum(both) - np.cumsum(both * share)
    return np.maximum(first + np.cumsum(own) - 2 * cross, 0.0)


def _interval(share: Floats, variance: Floats) -> tuple[Floats, Floats]:
    with np.errstate(divide="ignore", invalid="ignore"):
        half = np.minimum(float(ndtri(0.975)) * np.sqrt(variance) / np.abs(share * np.log(share)), WIDEST)
        low, high = share ** np.exp(half), share ** np.exp(-half)
    sound = (share > 0) & (share < 1)
    return np.where(sound, low, share), np.where(sound, high, share)
