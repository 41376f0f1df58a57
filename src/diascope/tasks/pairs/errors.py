"""How far a made image is from the truth: of each case, and what the disagreement of mirrored readings says of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from diascope.core import registry
from diascope.engine.batch import Row

METRICS = ("mae", "psnr", "ssim")
OF_THE_UNIT = "mae"
COVERED = 0.9
"""Share of new cases whose mean error stays below the bound."""
FEWEST = 2
"""Validation cases below which no expected error is fitted."""
Volume = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]


def measured(truth: Volume, said: Volume, data_range: float) -> dict[str, float]:
    """Every metric of one image against the truth, both (Z, Y, X) in one unit."""
    found = {OF_THE_UNIT: registry.get("metrics", OF_THE_UNIT)(truth.ravel(), said.ravel())}
    shares = truth / data_range, said / data_range
    return found | {name: registry.get("metrics", name)(*shares) for name in METRICS if name != OF_THE_UNIT}


def spread_sums(truth: Volume, said: Volume, spread: Volume | None) -> dict[str, float]:
    """Means over the voxels of a case, from which the expected error is fitted; empty without mirrored readings."""
    if spread is None:
        return {}
    wrong, apart = np.abs(said.astype(np.float64) - truth), spread.astype(np.float64)
    return {
        "spread": float(apart.mean()),
        "spread_squared": float(np.square(apart).mean()),
        "spread_wrong": float((apart * wrong).mean()),
    }


def fitted(rows: Sequence[Row]) -> dict[str, Any]:
    """What validation cases say of errors: a bound of a case's mean error, and a line from disagreement to error.

    The bound is that of split conformal prediction (Lei 2018): the rank also counts the case which is to come.
    """
    wrong = np.sort([row["mae"] for row in rows])
    rank = math.ceil(COVERED * (len(wrong) + 1))
    bound = float(wrong[rank - 1]) if 0 < rank <= len(wrong) else None
    usual = float(np.median(wrong)) if len(wrong) else None
    return {"mae_bound": bound, "mae_median": usual, "expected_error": _line(rows), "cases": len(wrong)}


def _line(rows: Sequence[Row]) -> list[float] | None:
    """Intercept and slope of the least-squares line from disagreement to absolute error, over all voxels."""
    known = [row for row in rows if "spread" in row and all(map(math.isfinite, (row["spread"], row["mae"])))]
    if len(known) < FEWEST:
        return None
    names = ("spread", "mae", "spread_squared", "spread_wrong")
    apart, wrong, squared, both = (float(np.mean([row[name] for row in known])) for name in names)
    variance = squared - apart**2
    slope = max(0.0, (both - apart * wrong) / variance) if variance > 0 else 0.0
    intercept = wrong - slope * apart
    return [max(0.0, intercept), slope if intercept >= 0 else wrong / max(apart, 1e-12)]


def expected(spread: Any, decision: Mapping[str, Any]) -> Any:
    """Absolute error to be expected where mirrored readings disagree by `spread`; None where nothing was fitted."""
    line = decision["expected_error"]
    return None if line is None or spread is None else line[0] + line[1] * spread
