"""What flows through the loop: examples, batches, and what a network said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from diascope.core.case import Case
from diascope.core.geometry import Geometry
from diascope.core.image import Image

Arrays = Mapping[str, npt.NDArray[Any]]
Row = dict[str, Any]
"""What is kept of one case for scoring: numbers, text, small arrays."""


@dataclass(frozen=True)
class Example:
    """One preprocessed case.

    Args:
        case: The manifest row.
        inputs: `image`: (C, Z, Y, X) float32 on the working grid; `table`: (D,) with nan for missing.
        target: What the task encoded: `class` (), `mask` or `image` (Z, Y, X), `boxes` (N, 8), ...; empty at reading
            time.
        geometry: Of the working grid; None for inputs without space.
        original: Geometry and (Z, Y, X) of the image as it was read, to which masks are taken back.
        seen: Of plans whose target is an image: the first image input as it was read, to lie beside what is made of it.
    """

    case: Case
    inputs: Arrays
    target: Arrays
    geometry: Geometry | None = None
    original: tuple[Geometry, tuple[int, int, int]] | None = None
    seen: Image | None = None


@dataclass(frozen=True)
class Batch:
    """Some examples (or patches of them) as tensors, batch axis first."""

    inputs: Mapping[str, Tensor]
    target: Mapping[str, Tensor]
    cases: tuple[str, ...]
    step: int = 0

    def to(self, device: torch.device) -> Batch:
        """The same batch where a device can compute on it."""
        if device.type == "cpu":
            return self
        inputs = {key: value.to(device, non_blocking=True) for key, value in self.inputs.items()}
        target = {key: value.to(device, non_blocking=True) for key, value in self.target.items()}
        return Batch(inputs, target, self.cases, self.step)


@dataclass(frozen=True)
class Output:
    """What a network said about one case, before any decision.

    Args:
        values: (K,) float32 for a vector; (Z, Y, X) uint8 labels on the *original* grid for dense outputs, float32
            numbers for values; an image (C, Z, Y, X) for generators; candidates (P, 6 + K) on the *working* grid for
            boxes.
        confidence: For dense outputs: label to the mean probability of its voxels.
        features: (D,) float32 encoder features for the input gate; empty where there are none.
        spread: Of values, how much the answers to the mirrored image differ (Z, Y, X); None where there are none.
        under: Of a plan that names a treatment: each of its values, and the `values` that the case would get with it.
    """

    values: npt.NDArray[Any]
    confidence: Mapping[int, float] = field(default_factory=dict)
    features: npt.NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    under: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    spread: npt.NDArray[np.float32] | None = None
