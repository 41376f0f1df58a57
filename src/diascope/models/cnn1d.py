"""Residual network over samples or letters in order, and the mean and maximum of its maps (arXiv:1611.06455)."""

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
    Residual1d,
    in_order,
    mean_and_most,
    strides_to,
    thinned,
    valid,
)

STEPS = 128
"""That the first stage sees at most: strided convolutions in the stem shorten what is longer."""


class Cnn1d(nn.Module):
    """Stem, stages of residual blocks that double the channels, and mean and maximum over what is there.

    Args:
        spec: Kind and channels.
        options: `width` (channels of the first stage), `kernel` (samples; the stem's is twice as long), `stem` (its
            strides), `strides` (of each stage), `blocks` (in each stage).

    Attributes:
        last_map: Its output is the last map before pooling, (B, D, T').
    """

    gives: Gives = "vector"

    def __init__(self, spec: InputSpec, options: Mapping[str, Any]) -> None:
        super().__init__()
        in_order(spec, "cnn1d")
        self.kind, width, kernel = spec.kind, int(options["width"]), int(options["kernel"])
        entered, stem = spec.channels, []
        for stride in options["stem"] or [1]:
            stem.append(ConvNorm1d((entered, width), 2 * kernel + 1, int(stride)))
            entered = width
        self.stem = nn.Sequential(*stem)
        stages: list[nn.Module] = []
        for stage, stride in enumerate(options["strides"]):
            left = width * min(4, 2**stage)
            for block in range(int(options["blocks"])):
                stages.append(Residual1d((entered, left), kernel, 1 if block else int(stride)))
                entered = left
        self.stages = nn.Sequential(*stages)
        self.last_map = nn.Identity()
        self.channels = (2 * entered,)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) to (B, D)."""
        x = torch.nan_to_num(x)  # an input that a case lacks is nan everywhere
        there = valid(x, self.kind)
        maps = self.last_map(self.stages(self.stem(x)))
        return mean_and_most(maps, thinned(there, maps.shape[2]))


class Cnn1dModel:
    """Three stages, of which the last two halve the length."""

    takes = KINDS
    dimensions = frozenset({1})
    gives: Gives = "vector"
    fitted: Literal["gradient", "once"] = "gradient"

    def options(self, spec: InputSpec) -> dict[str, Any]:
        stem = strides_to(in_order(spec, "cnn1d"), STEPS, 4)
        return {"width": 32, "kernel": 7, "stem": stem, "strides": [1, 2, 2], "blocks": 1}

    def build(self, spec: InputSpec, options: Mapping[str, Any]) -> nn.Module:
        return Cnn1d(spec, options)

    def stride(self, options: Mapping[str, Any]) -> tuple[int, int, int]:
        # Padded convolutions and pooling take any length.
        return (1, 1, 1)

    def cost(self, spec: InputSpec, options: Mapping[str, Any]) -> Cost:
        return estimate(lambda: self.build(spec, options), spec)


MODEL: Model = Cnn1dModel()
