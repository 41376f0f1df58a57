"""Time in intervals: which interval says what of a case, and survival curves from the hazards of the intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit, log_expit

Floats = npt.NDArray[np.float64]
FEWEST_FOR_SLOPE = 20
"""Events below which hazards are only raised or lowered as a whole."""


def edges_of(quantiles: Sequence[float], intervals: int) -> list[float]:
    """Edges from 0 to the last event, so that about as many events fall into each interval.

    Args:
        quantiles: Of the times at which events were seen, evenly spaced from 0 to 100 %.
        intervals: At most so many.
    """
    places = np.linspace(0, 1, len(quantiles))
    wanted = np.interp(np.linspace(0, 1, intervals + 1)[1:], places, np.asarray(quantiles, float))
    # The last edge is not rounded: an event just after it would count as none.
    last = float(wanted[-1])
    inner = {float(f"{edge:.6g}") for edge in wanted[:-1]}
    return [0.0, *sorted(edge for edge in inner if 0 < edge < last), last]


def told(time: npt.ArrayLike, event: npt.ArrayLike, edges: Sequence[float]) -> Floats:
    """(N, K) what each interval says of a case: 1 the event, 0 none, nan nothing (it was not seen so long).

    Interval k is from `edges[k]`, exclusive, to `edges[k + 1]`, inclusive. An event after the last edge is none. Of who
    was lost within an interval it says none from its middle on.
    """
    when, seen = np.asarray(time, float)[:, None], np.asarray(event, bool)[:, None]
    low, high = np.asarray(edges, float)[:-1], np.asarray(edges, float)[1:]
    # Who is lost in the second half of an interval counts as having lived through it (Gensheimer 2019): if only those
    # who had the event counted there, hazards would be too high.
    found = np.where(np.where(seen, when >= high, when >= (low + high) / 2), 0.0, np.nan)
    return np.asarray(np.where(seen & (when > low) & (when <= high), 1.0, found))


def survival(logits: npt.ArrayLike) -> Floats:
    """(N, K) logits of hazards to (N, K + 1) shares without the event at each edge, 1 at the first."""
    logs = np.cumsum(log_expit(-np.asarray(logits, float)), axis=1)
    return np.concatenate([np.ones((len(logs), 1)), np.exp(logs)], axis=1)


def at(curves: Floats, edges: Sequence[float], when: npt.ArrayLike) -> Floats:
    """(N, H) shares without the event at some times, with a constant hazard within an interval; flat after the last."""
    logs = np.log(np.maximum(curves, 1e-12))
    asked = np.atleast_1d(np.asarray(when, float))
    return np.stack([np.exp(np.interp(asked, edges, line)) for line in logs]).reshape(len(logs), len(asked))


def mean_time(curves: Floats, edges: Sequence[float]) -> Floats:
    """(N,) mean time without the event until the last edge (restricted mean survival time)."""
    widths = np.diff(np.asarray(edges, float))
    return np.asarray(((curves[:, :-1] + curves[:, 1:]) / 2) @ widths)


def recalibration(logits: Floats, time: Floats, event: npt.NDArray[np.bool_], edges: Sequence[float]) -> list[float]:
    """Slope and offset of the logits with the least negative log-likelihood; (1, 0) without events.

    Below `FEWEST_FOR_SLOPE` events the slope stays 1.
    """
    wanted = told(time, event, edges)
    known = np.isfinite(wanted)
    if not event.any() or not known.any():
        return [1.0, 0.0]
    scores, truth = np.asarray(logits, float)[known], wanted[known]
    sloped = int(event.sum()) >= FEWEST_FOR_SLOPE

    def loss(values: Floats) -> tuple[float, Floats]:
        slope, offset = (values[0], values[1]) if sloped else (1.0, values[0])
        lines = slope * scores + offset
        excess = (expit(lines) - truth) / len(scores)
        gradient = np.array([float(excess @ scores), float(excess.sum())])
        value = -(truth * log_expit(lines) + (1 - truth) * log_expit(-lines)).mean()
        return float(value), gradient if sloped else gradient[1:]

    bounds = [(0.1, 10.0), (-10.0, 10.0)]
    start = np.array([1.0, 0.0]) if sloped else np.array([0.0])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds if sloped else bounds[1:]).x
    return [float(found[0]), float(found[1])] if sloped else [1.0, float(found[0])]
