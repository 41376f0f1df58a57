"""Figures of competing risks: incidence in risk groups, and what was said against what was."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from diascope.core.figure import Chart, Line
from diascope.evidence.survival.competing import aalen_johansen
from diascope.tasks.curves.survival import line_of, until

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.intp]
Event = tuple[Codes, int, str]
"""What each case had, the event that is meant, and its name."""
BINS = 5


def groups_chart(time: Floats, event: Event, group: Codes, names: Sequence[str], unit: str) -> Chart:
    """The share that had an event by each time, in each risk group, with its interval."""
    code, cause, name = event
    lines = []
    for number, label in enumerate(names):
        mine = group == number
        if mine.any():
            lines.append(line_of(label, aalen_johansen(time[mine], code[mine], cause)))
    return Chart(
        title=f"Incidence of the risk groups (Aalen-Johansen): {name}",
        x_label=f"time ({unit})" if unit else "time",
        y_label="share that had the event first",
        lines=tuple(lines),
        y_range=(0, 1),
    )


def calibration_chart(time: Floats, event: Event, said: Floats, horizon: float, unit: str) -> Chart:
    """Risk until a horizon in bins of like risk: said against Aalen and Johansen, with its interval."""
    code, cause, name = event
    order = np.argsort(said, kind="stable")
    known = []
    for part in np.array_split(order, max(1, min(BINS, len(said) // 10))):
        curve = aalen_johansen(time[part], code[part], cause)
        if part.size and (horizon <= curve.time[-1] or curve.at_risk[-1] == 0):
            place = int(np.searchsorted(curve.time, horizon, side="right")) - 1
            known.append(
                (float(said[part].mean()), *(float(one[place]) for one in (curve.share, curve.low, curve.high)))
            )
    x, y, low, high = zip(*known, strict=True) if known else ((), (), (), ())
    return Chart(
        title=f"Calibration of the risk {until(horizon, unit)}: {name}",
        x_label="risk that was said",
        y_label="share that had the event first (Aalen-Johansen)",
        lines=(
            Line(label="perfect", x=(0.0, 1.0), y=(0.0, 1.0), style="reference"),
            Line(label="cases of like risk", x=x, y=y, low=low, high=high),
        ),
        x_range=(0, 1),
        y_range=(0, 1),
    )
