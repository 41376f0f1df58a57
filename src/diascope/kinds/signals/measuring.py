"""What is seen of one signal, channel by channel: level, gaps, flat stretches, and samples at a limit."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from diascope.core.signal import Signal

Floats = npt.NDArray[np.float64]

AT_LIMIT = 3
"""Equal samples in a row at the largest or smallest value of a recording that make it look cut off there."""


def measured(signal: Signal) -> dict[str, Any]:
    """Facts of a signal, JSON types; each list has one number a channel, nan where nothing is known.

    Returns:
        `rate`, `channels`, `units`; `missing` (share without a sample), `gap` (the longest stretch without, share of
        the length), `flat` (the longest stretch of one value, likewise), `clipped` (share of samples that stand still
        at the largest or smallest value), `mean`, `std`, `low`, `high`.
    """
    columns = [signal.values[:, place].astype(np.float64) for place in range(signal.values.shape[1])]
    seen = [_channel(one) for one in columns]
    return {
        "rate": signal.rate,
        "channels": list(signal.channels),
        "units": list(signal.units),
        **{key: [one[key] for one in seen] for key in seen[0]},
    }


def _channel(values: Floats) -> dict[str, float]:
    known = np.isfinite(values)
    found = {"missing": float(1 - known.mean()), "gap": _longest(~known) / len(values)}
    if not known.any():
        return {**found, **dict.fromkeys(("flat", "clipped", "mean", "std", "low", "high"), float("nan"))}
    there = values[known]
    low, high = float(there.min()), float(there.max())
    still = np.concatenate([[False], (np.diff(values) == 0)])
    return {
        **found,
        "flat": (_longest(still) + 1) / len(values) if still.any() else 0.0,
        "clipped": _at_limits(values, low, high) / len(there) if high > low else 0.0,
        "mean": float(there.mean()),
        "std": float(there.std()),
        "low": low,
        "high": high,
    }


def _at_limits(values: Floats, low: float, high: float) -> int:
    """Samples in runs of at least `AT_LIMIT` at the largest value, or at the smallest."""
    return sum(sum(run for run in _runs(values == limit) if run >= AT_LIMIT) for limit in (low, high))


def _longest(flags: npt.NDArray[np.bool_]) -> int:
    return max(_runs(flags), default=0)


def _runs(flags: npt.NDArray[np.bool_]) -> list[int]:
    """Lengths of the stretches in which a flag holds."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return [int(stop - start) for start, stop in zip(edges[::2], edges[1::2], strict=True)]
