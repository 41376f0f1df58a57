"""U-Net with a residual encoder and a light decoder, for dense answers (nnU-Net ResEnc, arXiv:2404.09556)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from torch import nn

from diascope.models import Cost, Gives, InputSpec, Model
from diascope.models.blocks.convolution import Residual
from diascope.models.blocks.estimate import estimate
from diascope.models.blocks.topology import divisor, halvings, spatial, widths
from diascope.models.blocks.unet import UNet


class ResidualUNet:
    """Residual blocks going down, one convolution a stage coming up."""

    takes = frozenset({"image"})
    dimensions = frozenset({2, 3})
    gives: Gives = "dense"
    fitted: Literal["gradient", "once"] = "gradient"

    def options(self, spec: InputSpec) -> dict[str, Any]:
        strides, kernels = halvings(spec)
        stages = len(strides)
        return {
            "features": widths(32, stages, spatial(spec, "residual_unet")),
            "strides": strides,
            "kernels": kernels,
            # nnU-Net's 1-3-4-6-6-6 blocks are made for a GPU-day; 1-2-2-2 learns more in a CPU's minutes.
            "blocks": [1, *[2] * (stages - 1)],
            "decoder_blocks": [1] * (stages - 1),
            "levels": max(1, stages - 2),
        }

    def build(self, spec: InputSpec, options: Mapping[str, Any]) -> nn.Module:
        return UNet(spec, options, block=Residual, stem=True)

    def stride(self, options: Mapping[str, Any]) -> tuple[int, int, int]:
        return divisor(options["strides"])

    def cost(self, spec: InputSpec, options: Mapping[str, Any]) -> Cost:
        return estimate(lambda: self.build(spec, options), spec)


MODEL: Model = ResidualUNet()
