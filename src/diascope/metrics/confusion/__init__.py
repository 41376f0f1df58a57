"""Counts of truth against call."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from diascope.core.errors import BadUsage
from diascope.metrics import nan


def table(truth: npt.NDArray[Any], said: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """Counts (K, K) of truth (rows) against call (columns), K being the largest class number + 1.

    Args:
        truth: (N,) class numbers, 0 or more.
        said: (N,) class numbers, 0 or more.

    Raises:
        BadUsage: When a class number is negative.
    """
    truth, said = truth.astype(np.intp), said.astype(np.intp)
    if truth.size == 0:
        return np.zeros((0, 0), np.intp)
    if min(truth.min(), said.min()) < 0:
        raise BadUsage("class numbers start at 0", given=int(min(truth.min(), said.min())))
    classes = int(max(truth.max(), said.max())) + 1
    return np.bincount(truth * classes + said, minlength=classes * classes).reshape(classes, classes)


def quadrants(truth: npt.NDArray[Any], said: npt.NDArray[Any]) -> tuple[int, int, int, int]:
    """True positives, false positives, false negatives, true negatives; class 1 is positive, all others negative."""
    positive, called = truth == 1, said == 1
    hit = int(np.count_nonzero(positive & called))
    positives, calls = int(np.count_nonzero(positive)), int(np.count_nonzero(called))
    return hit, calls - hit, positives - hit, int(truth.size) - positives - calls + hit


def share(part: float, whole: float) -> float:
    """`part / whole`; nan where there is nothing to take a share of."""
    return part / whole if whole else nan
