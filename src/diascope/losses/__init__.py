"""Losses: each module gives one loss. Computed in float32 whatever the network's precision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol

from torch import Tensor

LossKind = Literal["category", "labels", "number", "hazards", "mask", "image"]


class Loss(Protocol):
    """What a file in this folder provides as `LOSS`."""

    kind: LossKind
    """`category`: logits (B, K), target (B,) int or (B, K) soft. `labels`: logits (B, K), target (B, K) of 0, 1 or
    between, nan where nothing is known. `number`: what was said (B, 1), target (B,) float, both standardised.
    `hazards`: logits (B, K), target (B, K) of 0, 1, or nan where an interval says nothing. `mask`: logits
    (B, K, Z, Y, X), target (B, Z, Y, X) int, or (B, K, Z, Y, X) of 0/1 for regions; `ignore` voxels are left out.
    `image`: what was made (B, 1, Z, Y, X), target (B, Z, Y, X) float, both standardised."""

    def __call__(self, logits: Tensor, target: Tensor, options: Mapping[str, Any]) -> Tensor:
        """The mean loss of a batch: a scalar, differentiable, finite for finite logits, lowest when right.

        Args:
            logits: As `kind` says.
            target: As `kind` says.
            options: From the plan (`class_weights`, `positive_weights`, `label_smoothing`, `ignore`, ...).
        """
        ...
