"""A metric that is one function of truth and prediction: the shape that most files of this folder share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from diascope.core.errors import BadUsage

Array = npt.NDArray[Any]
Spacing = tuple[float, float, float]


@dataclass
class Definition:
    """A metric without a unit of space: see `diascope.metrics.Metric` for the fields.

    Args:
        compute: Truth and prediction, checked to be of equal shape but for boxes, to the value; nan where undefined.
        kind: What it compares.
        title: Name for people, by language.
        better: Which way is better.
        perfect: Its best value.
        unit: UCUM.
    """

    compute: Callable[[Array, Array], float]
    kind: Literal["probability", "call", "value", "mask", "image", "boxes"]
    title: dict[str, str]
    better: Literal["higher", "lower", "nearer"] = "higher"
    perfect: float = 1.0
    unit: str = "1"

    def __call__(self, truth: Array, said: Array, spacing: Spacing = (1.0, 1.0, 1.0)) -> float:
        if self.kind == "boxes":  # as many boxes as there are
            return float(self.compute(np.asarray(truth), np.asarray(said)))
        return float(self.compute(*as_pair(truth, said)))


def as_pair(truth: Array, said: Array) -> tuple[Array, Array]:
    """Both as arrays of one shape.

    Raises:
        BadUsage: When the shapes differ.
    """
    truth, said = np.asarray(truth), np.asarray(said)
    if truth.shape != said.shape:
        raise BadUsage(
            "a metric compares arrays of one shape",
            given=f"truth {truth.shape}, prediction {said.shape}",
            todo="Give one prediction for each case (or voxel)",
        )
    return truth, said
