"""The U-Net around whatever its encoder's stages are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from diascope.core.errors import BadUsage
from diascope.models import Gives, InputSpec
from diascope.models.blocks.convolution import ConvNorm, Residual, upsampling
from diascope.models.blocks.topology import spatial

KEYS = ("features", "strides", "kernels", "blocks", "decoder_blocks")
"""Options that have one entry a stage (`decoder_blocks`: one fewer)."""


class UNet(nn.Module):
    """Encoder stages, and a decoder of transposed convolutions that meets each of them again.

    Args:
        spec: Input channels and dimensions.
        options: `features`, `strides`, `kernels`, `blocks` (of the encoder's stages), `decoder_blocks`, `levels`.
        block: What an encoder's stage is made of.
        stem: Whether a convolution precedes the first stage.

    Attributes:
        channels: Of each decoder map that is returned, full resolution first.
    """

    gives: Gives = "dense"

    def __init__(
        self, spec: InputSpec, options: Mapping[str, Any], block: type[ConvNorm | Residual], stem: bool
    ) -> None:
        super().__init__()
        dimensions = spatial(spec, "U-Net")
        features, kernels, strides = _stages(options)
        self.flat = dimensions == 2
        self.levels = max(1, min(int(options["levels"]), len(features) - 1))
        self.channels = tuple(features[: self.levels])
        entered = features[0] if stem else spec.channels
        self.stem = ConvNorm(dimensions, (spec.channels, entered), kernels[0]) if stem else nn.Identity()
        self.stages, self.ups, self.joins = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for width, kernel, stride, count in zip(features, kernels, strides, options["blocks"], strict=True):
            self.stages.append(_stack(block, dimensions, (entered, width), kernel, stride, count))
            entered = width
        for level in range(len(features) - 1):
            width = features[level]
            self.ups.append(upsampling(dimensions, (features[level + 1], width), strides[level + 1]))
            count = options["decoder_blocks"][level]
            self.joins.append(_stack(ConvNorm, dimensions, (2 * width, width), kernels[level], (1, 1, 1), count))

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, C, Z, Y, X) to decoder maps (B, D, Z', Y', X'), full resolution first; in `eval()` only that one."""
        x = self.stem(x.squeeze(2) if self.flat else x)
        skips = []
        for stage in self.stages:
            x = stage(x)
            skips.append(x)
        maps = [x]
        for level in reversed(range(len(self.ups))):
            x = self.joins[level](torch.cat((self.ups[level](x), skips[level]), dim=1))
            maps.insert(0, x)
        maps = maps[: self.levels if self.training else 1]
        return [entry.unsqueeze(2) for entry in maps] if self.flat else maps


def _stages(options: Mapping[str, Any]) -> tuple[list[int], list[list[int]], list[list[int]]]:
    lengths = {key: len(options[key]) + (key == "decoder_blocks") for key in KEYS}
    if len(set(lengths.values())) != 1:
        raise BadUsage(
            "the options of a U-Net disagree about the number of stages",
            given={key: options[key] for key in KEYS},
            todo="Give each one entry a stage, and decoder_blocks one fewer",
        )
    return list(options["features"]), list(options["kernels"]), list(options["strides"])


def _stack(
    block: type[ConvNorm | Residual],
    dimensions: Literal[2, 3],
    channels: tuple[int, int],
    kernel: Sequence[int],
    stride: Sequence[int],
    count: int,
) -> nn.Sequential:
    first = block(dimensions, channels, kernel, stride)
    rest = [block(dimensions, (channels[1], channels[1]), kernel) for _ in range(count - 1)]
    return nn.Sequential(first, *rest)
