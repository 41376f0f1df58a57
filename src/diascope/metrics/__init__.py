"""Metrics: each module computes one number from truth and prediction; plain numpy.

Undefined is nan, never an error: sensitivity without a positive case, AUROC with one class. `docs/concepts/evidence.md`
defines each. A metric says what it compares (`kind`) and which way is better.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt


class Metric(Protocol):
    """What a file in this folder provides as `METRIC`."""

    kind: Literal["probability", "call", "value", "mask", "image", "boxes"]
    """`probability`: truth (N,) bool, probability (N,) float. `call`: truth (N,) int class, said (N,) int class.
    `value`: truth (N,) float, said (N,) float, in one unit. `mask`: truth and said (Z, Y, X) bool, with `spacing` in
    mm. `image`: truth and said (Z, Y, X) float, both divided by the data range. `boxes` of one label: truth (M, 8)
    number of the image, start and stop (z, y, x), 1 where it is to be ignored; said (N, 8) the same with the score in
    its last column."""
    better: Literal["higher", "lower", "nearer"]
    perfect: float
    """Its best value."""
    unit: str
    title: dict[str, str]
    """Name for people: `{"en": ..., "zh-CN": ...}`."""

    def __call__(
        self, truth: npt.NDArray[Any], said: npt.NDArray[Any], spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)
    ) -> float:
        """The metric; nan where undefined."""
        ...


nan = float(np.nan)
