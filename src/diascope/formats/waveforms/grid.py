"""Samples at times as samples at one rate: jumps in time become gaps."""

from __future__ import annotations

import re
from datetime import datetime

import numpy as np
import numpy.typing as npt

from diascope.core.errors import DataRefused

Floats = npt.NDArray[np.float64]

UNEVEN = 0.25
"""Share of a step by which a sample may lie off its place."""
MOSTLY = 0.02
"""Share of the steps that may be further off."""
LARGEST = 1 << 28
"""Samples, gaps included, that one signal may have."""

_CLOCK = re.compile(r"(?:(?P<hours>\d+):)?(?P<minutes>\d{1,2}):(?P<seconds>\d{1,2}(?:\.\d*)?)")


def seconds_of(cell: str) -> float | None:
    """A time as text in seconds: `12:03.5`, `1:12:03`, or a date and a time; None where it is none.

    >>> seconds_of("1:02:03.5"), seconds_of("02:03"), seconds_of("noon")
    (3723.5, 123.0, None)
    """
    text = cell.strip().strip("'[]").strip()
    clock = _CLOCK.fullmatch(text)
    if clock is not None:
        return 3600 * int(clock["hours"] or 0) + 60 * int(clock["minutes"]) + float(clock["seconds"])
    try:
        # Without a zone, as most devices write it; only differences are kept.
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment.replace(tzinfo=None) - datetime(2000, 1, 1)).total_seconds()


def on_grid(times: Floats, values: Floats) -> tuple[npt.NDArray[np.float32], float, str]:
    """Samples at equal steps.

    Args:
        times: (T,) seconds, growing.
        values: (T, C), nan is missing.

    Returns:
        Samples (T', C) with nan where time jumps, the rate in Hz, and what was filled, in words.

    Raises:
        DataRefused: When time does not grow, or its steps are not equal.
    """
    if len(times) < 2:
        raise DataRefused("one sample has no rate", given=f"{len(times)} rows", todo="Give at least two rows")
    if not np.isfinite(times).all():
        raise DataRefused("a time is missing", given=f"row {int(np.flatnonzero(~np.isfinite(times))[0]) + 1}")
    steps = np.diff(times)
    if steps.min() <= 0:
        at = int(steps.argmin()) + 2
        raise DataRefused(
            "time stands still or goes back",
            given=f"row {at}: {times[at - 1]:g} s after {times[at - 2]:g} s",
            todo="Sort the rows; give each recording a file, or a column, of its own",
        )
    usual = float(np.median(steps))
    near = steps < 1.5 * usual
    # Printed times are rounded: the mean of many steps is finer than their median.
    usual = float(steps[near].mean())
    count = np.maximum(1, np.rint(steps / usual)).astype(np.int64)
    step = float((times[-1] - times[0]) / count.sum())
    off = np.abs(steps - count * step)
    # A time that was rounded to so many digits is off by as much and no more.
    allowed = np.maximum(UNEVEN * step, 1.01 * _resolution(times))
    if (off > allowed).mean() > MOSTLY:
        low, high = np.quantile(steps, (0.05, 0.95))
        raise DataRefused(
            "the samples do not come at equal steps",
            given=f"steps of {low:.4g} to {high:.4g} s (5th and 95th percentile)",
            todo="Resample them to equal steps first",
        )
    place = np.concatenate([[0], np.cumsum(count)])
    if int(place[-1]) >= LARGEST:
        raise DataRefused("time jumps too far", given=f"{(times[-1] - times[0]) / 86400:.3g} days at {1 / step:.4g} Hz")
    found = np.full((int(place[-1]) + 1, values.shape[1]), np.nan, np.float32)
    found[place] = values
    jumps = count[count > 1] - 1
    missing = int(jumps.sum())
    note = f"{len(jumps)} jump(s) in time: {missing * step:.4g} s ({missing} samples) are a gap" if missing else ""
    return found, _rate(place, times), note


def _rate(place: npt.NDArray[np.int64], times: Floats) -> float:
    """Samples a second, by least squares; a whole number where rounded times cannot tell it from one."""
    rate = 1 / float(np.polyfit(place, times, 1)[0])
    doubt = rate * _resolution(times) / float(times[-1] - times[0])
    return float(round(rate)) if rate > 1 and abs(rate - round(rate)) <= doubt else float(f"{rate:.6g}")


def _resolution(times: Floats) -> float:
    """The digits that times were written with, in seconds: the largest power of ten that divides them all."""
    for digits in range(-1, 7):
        unit = 10.0**-digits
        if np.allclose(times / unit, np.rint(times / unit), rtol=0, atol=1e-3):
            return unit
    return 0.0
