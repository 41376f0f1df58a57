"""A share of cases with a 95 % interval that knows patients, and has a width also at 0 and 1."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from diascope.evidence.resampling import codes_of

nan = float(np.nan)


def proportion(right: npt.NDArray[Any], patients: Sequence[Hashable]) -> tuple[float, float, float]:
    """Share of cases for which something holds: Wilson's interval at the effective number of cases (Saha 2016).

    The design effect is the variance of the share between patients over that of independent cases, at least 1. With all
    or none of the cases it cannot be seen, and each patient counts once.

    Args:
        right: (N,) bool.
        patients: (N,) patient key of each case.

    Returns:
        Value, low, high; nan without cases.
    """
    right = np.asarray(right).astype(bool)
    if not right.size:
        return nan, nan, nan
    codes = codes_of(patients)
    sizes, share = np.bincount(codes), float(right.mean())
    number = sizes.size
    effective = float(number)
    if 0 < share < 1 and number > 1:
        spread = np.bincount(codes, weights=right - share)
        variance = float(number / (number - 1) * (spread @ spread) / right.size**2)
        independent = share * (1 - share) / right.size
        effective = right.size * independent / max(variance, independent)
    return share, *_wilson(share, effective)


def _wilson(share: float, number: float) -> tuple[float, float]:
    z = float(ndtri(0.975))
    centre = (share + z * z / (2 * number)) / (1 + z * z / number)
    half = z / (1 + z * z / number) * float(np.sqrt(share * (1 - share) / number + z * z / (4 * number * number)))
    return (0.0 if share == 0 else centre - half), (1.0 if share == 1 else centre + half)
