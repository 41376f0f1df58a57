"""What changed between two values that were measured on different cases, with a 95 % interval."""

from __future__ import annotations

import math

from diascope.core.finding import Measure


def difference(after: Measure, before: Measure) -> Measure:
    """`after - before` of two independent estimates, by the limits of each (Zou and Donner 2008; Newcombe 1998).

    Where both were measured on the same cases the interval is wider than that of a paired comparison, for what both
    find hard is then counted twice: it errs to the side of "nothing is shown".

    Args:
        after: With its 95 % interval.
        before: The same, in the same unit.

    Returns:
        The difference; None with a note where a value is undefined or the units differ, without ends where an interval
        is missing.

    Example:
        >>> found = difference(Measure(value=0.9, low=0.8, high=0.96), Measure(value=0.8, low=0.7, high=0.88))
        >>> round(found.value, 3), round(found.low, 3), round(found.high, 3)
        (0.1, -0.028, 0.217)
    """
    if after.unit != before.unit:
        return Measure(value=None, unit=after.unit, note="the units differ")
    if after.value is None or before.value is None:
        return Measure(value=None, unit=after.unit, note="undefined for these cases")
    change = after.value - before.value
    if after.low is None or after.high is None or before.low is None or before.high is None:
        return Measure(value=change, unit=after.unit, note=after.note or before.note)
    return Measure(
        value=change,
        unit=after.unit,
        low=change - math.hypot(after.value - after.low, before.high - before.value),
        high=change + math.hypot(after.high - after.value, before.value - before.low),
    )
