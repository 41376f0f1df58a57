"""Plain U-Net for dense answers, in two and three dimensions, shaped by nnU-Net's rules (arXiv:1904.08128)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from torch import nn

from diascope.models import Cost, Gives, InputSpec, Model
from diascope.models.blocks.convolution import ConvNorm
from diascope.models.blocks.estimate import estimate
from diascope.models.blocks.topology import divisor, halvings, spatial, widths
from diascope.models.blocks.unet import UNet


class PlainUNet:
    """Two convolutions a stage, strided going down, transposed coming up."""

    takes = frozenset({"image"})
    dimensions = frozenset({2, 3})
    gives: Gives = "dense"
    fitted: Literal["gradient", "once"] = "gradient"

    def options(self, spec: InputSpec) -> dict[str, Any]:
        strides, kernels = halvings(spec)
        stages = len(strides)
        return {
            "features": widths(32, stages, spatial(spec, "unet")),
            "strides": strides,
            "kernels": kernels,
            "blocks": [2] * stages,
            "decoder_blocks": [2] * (stages - 1),
            # As in nnU-Net, the coarsest decoder map is not supervised.
            "levels": max(1, stages - 2),
        }

    def build(self, spec: InputSpec, options: Mapping[str, Any]) -> nn.Module:
        return UNet(spec, options, block=ConvNorm, stem=False)

    def stride(self, options: Mapping[str, Any]) -> tuple[int, int, int]:
        return divisor(options["strides"])

    def cost(self, spec: InputSpec, options: Mapping[str, Any]) -> Cost:
        return estimate(lambda: self.build(spec, options), spec)


MODEL: Model = PlainUNet()
