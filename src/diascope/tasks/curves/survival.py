"""Figures of survival: curves of risk groups, what was said against what was, the Brier score over time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from diascope.core.figure import Chart, Grid, Line
from diascope.evidence.survival.brier import Followed, calibration, errors
from diascope.evidence.survival.curves import Curve, at_risk_at, kaplan_meier, log_rank

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
POINTS = 200
"""Steps of a curve that are drawn."""
NEVER = "not reached"
TICKS = 5
"""Times at which a table says how many cases are followed."""


def groups_chart(
    time: Floats, event: Flags, group: npt.NDArray[np.intp], names: Sequence[str], unit: str
) -> tuple[Chart, Grid]:
    """Kaplan-Meier curves of the risk groups with their log-rank test, and a table of cases, events and median."""
    lines: list[Line] = []
    cells: list[tuple[str | int | float | None, ...]] = []
    ticks = [float(f"{value:.2g}") for value in np.linspace(0, float(time.max()) if len(time) else 1.0, TICKS)]
    for number, name in enumerate(names):
        mine = group == number
        if not mine.any():
            cells.append((name, 0, 0, None, *(0 for _ in ticks)))
            continue
        curve = kaplan_meier(time[mine], event[mine])
        lines.append(line_of(name, curve))
        cells.append((name, int(mine.sum()), int(event[mine].sum()), _median(curve), *at_risk_at(curve, ticks)))
    _, p = log_rank(time, event, group)
    words = "no test: one group, or no event" if np.isnan(p) else f"log-rank p {_p(p)}"
    chart = Chart(
        title="Survival of the risk groups (Kaplan-Meier)",
        x_label=f"time ({unit})" if unit else "time",
        y_label="share without the event",
        lines=tuple(lines),
        y_range=(0, 1),
        note=words,
    )
    head = ("risk group", "cases", "events", "median survival (95 % interval)")
    columns = (*head, *(f"at risk at {tick:g}" for tick in ticks))
    return chart, Grid(title="Risk groups", columns=columns, rows=tuple(cells))


def until(horizon: float, unit: str) -> str:
    """`until 5 a`: the part of a measure's name that says at what time it holds."""
    return f"until {horizon:g} {unit}".strip()


def calibration_chart(time: Floats, event: Flags, said: Floats, horizon: float, unit: str) -> Chart:
    """Risk until a horizon in bins of like risk: said against Kaplan and Meier, with its interval."""
    bins = [one for one in calibration(time, event, said, horizon) if one.seen.value is not None]
    line = Line(
        label="cases of like risk",
        x=tuple(one.said for one in bins),
        y=tuple(float(one.seen.value or 0.0) for one in bins),
        low=tuple(float(one.seen.low or 0.0) for one in bins),
        high=tuple(float(1.0 if one.seen.high is None else one.seen.high) for one in bins),
    )
    perfect = Line(label="perfect", x=(0.0, 1.0), y=(0.0, 1.0), style="reference")
    return Chart(
        title=f"Calibration of the risk {until(horizon, unit)}",
        x_label="risk that was said",
        y_label="share with the event (Kaplan-Meier)",
        lines=(perfect, line),
        x_range=(0, 1),
        y_range=(0, 1),
    )


def brier_chart(
    time: Floats, event: Flags, curves: Floats, horizons: Sequence[float], setting: tuple[Followed, str]
) -> Chart:
    """The Brier score at each time, beside that of one curve for everybody."""
    followed, unit = setting
    common = np.tile(kaplan_meier(time, event).at(np.asarray(horizons, float)), (len(time), 1))
    own, plain = (errors(time, event, said, horizons, followed).mean(axis=0) for said in (curves, common))
    lines = []
    for label, values, style in (("the model", own, "line"), ("one curve for all", plain, "reference")):
        known = [n for n, value in enumerate(values) if np.isfinite(value)]
        lines.append(
            Line(
                label=label,
                x=tuple(float(horizons[n]) for n in known),
                y=tuple(float(values[n]) for n in known),
                style="reference" if style == "reference" else "line",
            )
        )
    return Chart(
        title="Brier score over time",
        x_label=f"time ({unit})" if unit else "time",
        y_label="Brier score (lower is better)",
        lines=tuple(lines),
    )


def line_of(label: str, curve: Curve) -> Line:
    """A curve with its interval, thinned to what can be drawn."""
    thin = np.unique(np.linspace(0, len(curve.time) - 1, min(len(curve.time), POINTS)).round().astype(int))
    x, y, low, high = (tuple(map(float, one[thin])) for one in (curve.time, curve.share, curve.low, curve.high))
    return Line(label=label, x=x, y=y, low=low, high=high, style="step")


def _median(curve: Curve) -> str:
    """The median with its interval; each is not reached where more than half are without the event to the end."""
    shares = (curve.share, curve.low, curve.high)
    places = [np.flatnonzero(one <= 0.5) for one in shares]
    middle, low, high = (f"{curve.time[place[0]]:.4g}" if place.size else NEVER for place in places)
    return middle if low == NEVER else f"{middle} ({low} to {high})"


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
