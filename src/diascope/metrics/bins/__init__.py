"""Bins of equal mass, for the reliability curve and the expected calibration error."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

MOST = 10
"""Number of bins where there are cases enough."""
CASES = 10
"""Fewest cases that a bin is made for: below 20 cases there is one bin."""


def equal_mass(ordered: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.intp]:
    """Start of each bin in sorted probabilities: equal counts, except that equal probabilities share a bin.

    Splitting ties would make the error depend on the order of the cases.

    Args:
        ordered: (N,) ascending, N at least 1.

    Returns:
        (bins,) indices, the first 0.
    """
    count = ordered.size
    bins = max(1, min(MOST, count // CASES))
    nominal = np.arange(bins) * count // bins
    return np.unique(np.searchsorted(ordered, ordered[nominal], side="left"))
