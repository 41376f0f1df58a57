"""A small network that sees each frame alone, and a recurrent one over the frames: cine, DCE-MRI, 4-D images.

The channels of the image are the frames, in the order of time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from torch import Tensor, nn

from diascope.models import Cost, Gives, InputSpec, Model
from diascope.models.blocks.batch_norm import BatchNormBlock
from diascope.models.blocks.estimate import estimate
from diascope.models.blocks.series import Recurrent, recurrent_macs
from diascope.models.blocks.topology import halvings, spatial

STAGES = 5
"""That a frame is halved in at most."""
WIDEST = 4
"""Times the first stage's channels that the last one has."""


class FrameGru(nn.Module):
    """Residual stages that every frame goes through, its mean over space, and recurrent layers over the frames.

    Batch normalisation, over all frames of all cases: a normalisation of each frame would take away how bright it is
    beside the others, which is what contrast does.

    Args:
        spec: Dimensions; `channels` are frames.
        options: `width` (channels of the first stage), `strides` and `kernels` (of each stage), `recurrent` (numbers of
            each direction), `cell` (`gru` or `lstm`).
    """

    gives: Gives = "vector"

    def __init__(self, spec: InputSpec, options: Mapping[str, Any]) -> None:
        super().__init__()
        dimensions = spatial(spec, "frame_gru")
        self.flat, width = dimensions == 2, int(options["width"])
        stages: list[nn.Module] = []
        entered = 1
        for stage, (stride, kernel) in enumerate(zip(options["strides"], options["kernels"], strict=True)):
            left = width * min(WIDEST, 2**stage)
            stages.append(BatchNormBlock(dimensions, (entered, left), kernel, stride))
            entered = left
        self.stages = nn.Sequential(*stages)
        self.recurrent = Recurrent(entered, int(options["recurrent"]), 1, str(options["cell"]))
        self.channels = self.recurrent.channels

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, Z, Y, X) to (B, D)."""
        cases, frames = x.shape[:2]
        single = x.reshape(cases * frames, 1, *x.shape[2:])
        maps = self.stages(single.squeeze(2) if self.flat else single)
        steps = maps.flatten(2).mean(dim=2).reshape(cases, frames, -1)
        return self.recurrent(steps, steps.new_ones(cases, frames))  # type: ignore[no-any-return]


class FrameGruModel:
    """Narrow: every frame costs as much as an image."""

    takes = frozenset({"image"})
    dimensions = frozenset({2, 3})
    gives: Gives = "vector"
    fitted: Literal["gradient", "once"] = "gradient"

    def options(self, spec: InputSpec) -> dict[str, Any]:
        spatial(spec, "frame_gru")
        strides, kernels = halvings(spec)
        return {
            "width": 16,
            "strides": strides[1 : STAGES + 1] or strides,
            "kernels": kernels[1 : STAGES + 1] or kernels,
            "recurrent": 64,
            "cell": "gru",
        }

    def build(self, spec: InputSpec, options: Mapping[str, Any]) -> nn.Module:
        return FrameGru(spec, options)

    def stride(self, options: Mapping[str, Any]) -> tuple[int, int, int]:
        # Padded convolutions and a mean over space take any size.
        return (1, 1, 1)

    def cost(self, spec: InputSpec, options: Mapping[str, Any]) -> Cost:
        counted = estimate(lambda: self.build(spec, options), spec)
        entering = int(options["width"]) * min(WIDEST, 2 ** (len(options["strides"]) - 1))
        macs = recurrent_macs(entering, int(options["recurrent"]), 1, str(options["cell"]), spec.channels)
        return Cost(counted.parameters, counted.gflop + 6e-9 * macs, counted.activation_bytes)


MODEL: Model = FrameGruModel()
