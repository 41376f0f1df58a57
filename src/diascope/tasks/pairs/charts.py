"""Figures of errors, case by case."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from diascope.core.figure import Bars, Chart, Figure, Line

NO_PROBABILITY = "No probability is given, so nothing is calibrated: this is what stands in its place."
Floats = npt.NDArray[np.float64]


def charts(wrong: Floats, beside: Floats, told: Floats, unit: str) -> tuple[Figure, ...]:
    """Errors of what was made: how many, against those of the input, against those that were expected.

    Args:
        wrong: (N,) mean absolute error of each case.
        beside: (N,) that of the input as it is; nan where units differ.
        told: (N,) that was expected of the case; nan where nothing says.
        unit: Of all of them.
    """
    shown = unit.strip("{}")
    counts, edges = np.histogram(wrong[np.isfinite(wrong)], bins=min(15, max(5, len(wrong) // 5)))
    middles = (edges[:-1] + edges[1:]) / 2
    found: list[Figure] = [
        Bars(
            title=f"Mean absolute error of each case ({shown})",
            names=tuple(f"{middle:.3g}" for middle in middles),
            values=tuple(float(count) for count in counts),
            unit="cases",
            histogram=True,
        )
    ]
    if np.isfinite(beside).any():
        labels = (f"error of the input as it is ({shown})", f"error of what was made ({shown})")
        found.append(_against("Better than the input below the line", (beside, wrong), labels))
    if np.isfinite(told).any():
        labels = (f"expected error ({shown})", f"error of what was made ({shown})")
        found.append(_against("Expected and actual error of each case", (told, wrong), labels, NO_PROBABILITY))
    return tuple(found)


def _against(title: str, pair: tuple[Floats, Floats], labels: tuple[str, str], note: str = "") -> Chart:
    known = np.isfinite(pair[0]) & np.isfinite(pair[1])
    x, y = pair[0][known], pair[1][known]
    ends = (0.0, float(max(x.max(initial=0.0), y.max(initial=0.0))))
    return Chart(
        title=title,
        x_label=labels[0],
        y_label=labels[1],
        lines=(
            Line(label="equal", x=ends, y=ends, style="reference"),
            Line(label="cases", x=tuple(map(float, x)), y=tuple(map(float, y)), style="points"),
        ),
        note=note,
    )
