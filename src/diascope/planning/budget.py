"""What the user allows: time and memory; and how time is shared among the parts of the work."""

from __future__ import annotations

from diascope.core.record import Record

DEFAULT_MINUTES = 15.0
"""Without a GPU and without a word from the user."""
RESERVE = 0.94
"""Share of the budget that is planned; the rest is for what cannot be foreseen."""
REPORT_SECONDS = 18.0
"""Intervals, explanations, pictures and the report, measured on the sets of `benchmarks/` (two cores)."""


class Budget(Record):
    """Time and memory for one `fit`."""

    minutes: float = DEFAULT_MINUTES
    """Wall-clock minutes for everything from the first file to the report."""
    memory_gb: float | None = None
    """Peak memory; None: 80 % of what the machine has free."""
    spent_seconds: float = 0.0
    """What was used before the plan was made (reading, checks)."""
    folds: int | None = None
    """By hand: that many folds; None: by rule."""
