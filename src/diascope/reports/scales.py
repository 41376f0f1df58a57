"""Axes: from a range of values to pixels, with ticks at round numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from diascope.reports.numbers import number


@dataclass(frozen=True)
class Scale:
    """A linear axis: values from `low` to `high` lie between the pixels `start` and `stop`."""

    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        """The pixel of a value, kept within three axis lengths so that no coordinate overflows."""
        share = (value - self.low) / (self.high - self.low)
        return self.start + min(max(share, -1.0), 2.0) * (self.stop - self.start)

    def ticks(self, count: int = 5) -> list[tuple[float, str]]:
        """Round values within the axis, each with its text."""
        step = _nice_step(self.high - self.low, count)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        values = [index * step for index in range(first, last + 1)]
        largest = max(map(abs, (self.low, self.high)))
        if largest >= 1e5 or 0 < largest < 1e-3:
            return [(value, f"{value:.3g}") for value in values]
        digits = max(0, -math.floor(math.log10(step) + 1e-9))
        digits += round(step * 10**digits, 6) % 1 > 0
        return [(value, number(value, digits)) for value in values]


def span(values: Iterable[float], given: tuple[float, float] | None = None, pad: float = 0.05) -> tuple[float, float]:
    """The range of an axis: the given one, or that of the finite values with a margin; never empty."""
    if given is not None and all(map(math.isfinite, given)) and given[0] < given[1]:
        return given
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return 0.0, 1.0
    low, high = min(known), max(known)
    if low == high:
        room = abs(low) * 0.1 or 1.0
        return low - room, high + room
    margin = (high - low) * pad
    return (0.0 if 0 <= low < margin * 4 else low - margin), high + margin


def _nice_step(length: float, count: int) -> float:
    raw = length / max(count, 1)
    power: float = 10.0 ** math.floor(math.log10(raw))
    return next((factor * power for factor in (1, 2, 2.5, 5) if factor * power >= raw * 0.999), 10 * power)
