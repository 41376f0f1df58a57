"""Metrics between a set of real images and a set of made ones, in a stated feature space."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from diascope.engine.batch import Row
from diascope.engine.task import Statistic
from diascope.evidence.proportions import proportion
from diascope.evidence.samples.coverage import covered
from diascope.evidence.samples.distance import KernelDistance, frechet, jackknife
from diascope.tasks.sampling.spaces import Bytes, Floats

FIXED = "fixed random network"
LEARNT = "classifier of the training part"
PIXELS = "grey values"
Indices = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Sets:
    """Features of real and of made images, row by row of one case.

    Args:
        real: (N, D).
        made: (N, D).
    """

    real: Floats
    made: Floats

    @classmethod
    def of(cls, rows: Sequence[Row], space: Callable[[Bytes], Floats]) -> Sets:
        """The features of rows in a space."""
        return cls(space(pictures(rows, "real")), space(pictures(rows, "made")))


def pictures(rows: Sequence[Row], what: str) -> Bytes:
    """The pictures (N, C, Y, X) of rows: `real` or `made`."""
    return np.stack([row[what] for row in rows]) if rows else np.zeros((0, 1, 1, 1), np.uint8)


def of_sets(sets: Sets, space: str, of: str = "") -> tuple[tuple[Statistic, ...], tuple[str, ...]]:
    """Distances, precision and recall of made images, and the names of those that come first.

    Args:
        sets: Features.
        space: What they are features of: it stands in the name of every figure.
        of: Stands in their names too, where the second set is none of made images.
    """
    names = {
        name: f"{name}{of}/{space}"
        for name in ("kernel_distance", "frechet_distance", "image_precision", "image_recall")
    }
    distances = (
        _distance(names["kernel_distance"], KernelDistance(sets.real, sets.made), least=-math.inf),
        _distance(names["frechet_distance"], partial(_frechet, sets), least=0.0),
    )
    shares = (
        _share(names["image_precision"], covered(sets.made, sets.real)),
        _share(names["image_recall"], covered(sets.real, sets.made)),
    )
    return (*distances, *(() if of else shares)), (
        names["kernel_distance"],
        names["image_precision"],
        names["image_recall"],
    )


def _distance(name: str, of: Callable[[Indices], float], least: float) -> Statistic:
    """Its interval leaves patients out in turn: quicker than a bootstrap, and repeats bias none of its values."""
    return Statistic(name, of, better="lower", interval=partial(_left_out, of, least))


def _frechet(sets: Sets, index: Indices) -> float:
    return frechet(sets.real[index], sets.made[index])


def _left_out(of: Callable[[Indices], float], least: float, patients: Sequence[str]) -> tuple[float, float]:
    low, high = jackknife(of, patients)
    return max(least, low), high


def _share(name: str, inside: npt.NDArray[np.bool_]) -> Statistic:
    """The balls stay where they are: the interval is of the share among points like these."""
    return Statistic(name, partial(_mean, inside), interval=partial(_wilson, inside))


def _mean(inside: npt.NDArray[np.bool_], index: Indices) -> float:
    return float(inside[index].mean()) if len(index) else float("nan")


def _wilson(inside: npt.NDArray[np.bool_], patients: Sequence[str]) -> tuple[float, float]:
    _, low, high = proportion(inside, patients)
    return low, high
