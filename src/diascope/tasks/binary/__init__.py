"""Questions that are answered by yes or no: their truth, what was said, and the intervals that their metrics bring."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from diascope.evidence.delong import delong
from diascope.evidence.proportions import proportion

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Question:
    """One question about some cases, as curves show it.

    Args:
        name: Of the label whose presence is asked.
        truth: (N,) whether it is present.
        said: (N,) probability that was said.
        patients: (N,) patient key of each case.
    """

    name: str
    truth: Flags
    said: npt.NDArray[np.float64]
    patients: Sequence[str]


def own_interval(
    name: str, truth: Flags, said: npt.NDArray[Any]
) -> Callable[[Sequence[str]], tuple[float, float]] | None:
    """The interval that a metric brings itself: DeLong for AUROC, Wilson for shares; None is the bootstrap."""
    if name == "auroc":
        return lambda patients: delong(truth, said, patients)[1:]
    called = said.astype(bool)
    shares = {
        "sensitivity": (called, truth),
        "specificity": (~called, ~truth),
        "ppv": (truth, called),
        "npv": (~truth, ~called),
    }
    return partial(share_interval, *shares[name]) if name in shares else None


def share_interval(right: Flags, among: Flags, patients: Sequence[str]) -> tuple[float, float]:
    """Wilson's interval by patient of the share that is right among some cases: it has a width at 0 and 1 too."""
    _, low, high = proportion(right[among], [patient for patient, mine in zip(patients, among, strict=True) if mine])
    return low, high


def one_or_others(mine: Flags, name: str) -> npt.NDArray[np.str_]:
    """(N,) stratum of each case where it matters who has the label."""
    return np.where(mine, name, f"all but {name}")
