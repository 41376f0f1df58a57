"""Bidirectional GRU (or LSTM) over samples or letters in order, with attention over its steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from diascope.models import Cost, Gives, InputSpec, Model
from diascope.models.blocks.estimate import estimate
from diascope.models.blocks.series import (
    KINDS,
    ConvNorm1d,
    Recurrent,
    in_order,
    recurrent_macs,
    strides_to,
    thinned,
    total,
    valid,
)

STEPS = 96
"""That a recurrent network takes at most: a stem of strided convolutions shortens what is longer. Each step waits for
the one before, so that time grows with them and no core helps."""


class Gru(nn.Module):
    """Stem of strided convolutions, recurrent layers in both directions, attention.

    Args:
        spec: Kind and channels.
        options: `width` (channels of the stem, and of each direction), `layers`, `cell` (`gru` or `lstm`), `kernel`
            (samples of the stem's first convolution), `strides` (of the stem's convolutions).
    """

    gives: Gives = "vector"

    def __init__(self, spec: InputSpec, options: Mapping[str, Any]) -> None:
        super().__init__()
        in_order(spec, "gru")
        self.kind, width = spec.kind, int(options["width"])
        entered, stem = spec.channels, []
        for stride in options["strides"] or [1]:
            stem.append(ConvNorm1d((entered, width), int(options["kernel"]), int(stride)))
            entered = width
        self.stem = nn.Sequential(*stem)
        self.recurrent = Recurrent(entered, width, int(options["layers"]), str(options["cell"]))
        self.channels = self.recurrent.channels

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) to (B, D)."""
        x = torch.nan_to_num(x)  # an input that a case lacks is nan everywhere
        there = valid(x, self.kind)
        steps = self.stem(x)
        return self.recurrent(steps.transpose(1, 2), thinned(there, steps.shape[2])[:, 0])  # type: ignore[no-any-return]


class GruModel:
    """One layer in each direction: clinical sets have hundreds of recordings."""

    takes = KINDS
    dimensions = frozenset({1})
    gives: Gives = "vector"
    fitted: Literal["gradient", "once"] = "gradient"

    def options(self, spec: InputSpec) -> dict[str, Any]:
        return {
            "width": 64,
            "layers": 1,
            "cell": "gru",
            "kernel": 9,
            "strides": strides_to(in_order(spec, "gru"), STEPS, 4),
        }

    def build(self, spec: InputSpec, options: Mapping[str, Any]) -> nn.Module:
        return Gru(spec, options)

    def stride(self, options: Mapping[str, Any]) -> tuple[int, int, int]:
        return (1, 1, 1)

    def cost(self, spec: InputSpec, options: Mapping[str, Any]) -> Cost:
        counted = estimate(lambda: self.build(spec, options), spec)
        steps = -(-in_order(spec, "gru") // total(options["strides"]))
        width, layers = int(options["width"]), int(options["layers"])
        macs = recurrent_macs(width, width, layers, str(options["cell"]), steps)
        kept = 4 * steps * layers * 2 * width * 6
        return Cost(counted.parameters, counted.gflop + 6e-9 * macs, counted.activation_bytes + kept)


MODEL: Model = GruModel()
