"""Residual network that makes one vector of an image, in two and three dimensions (ResNet, arXiv:1512.03385)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from torch import Tensor, nn
from torch.nn import functional

from diascope.core.errors import BadUsage
from diascope.models import Cost, Gives, InputSpec, Model
from diascope.models.blocks.batch_norm import BatchNormBlock, norm
from diascope.models.blocks.convolution import convolution
from diascope.models.blocks.estimate import estimate
from diascope.models.blocks.topology import spatial

SMALL = 64
"""Pixels: up to this edge a picture is not halved before the first stage."""
STAGES = 4


class ResNet(nn.Module):
    """Stem, four stages of residual blocks, and the mean over space.

    Args:
        spec: Input channels and dimensions.
        options: `depth` (blocks of each stage), `width` (channels of the first stage), `stem` (kernel of the first
            convolution), `strides` (of the stem, of the pooling after it, and of each stage).

    Attributes:
        last_map: Its output is the last map before the mean, (B, D, Z', Y', X'): what Grad-CAM weighs.
    """

    gives: Gives = "vector"

    def __init__(self, spec: InputSpec, options: Mapping[str, Any]) -> None:
        super().__init__()
        dimensions = spatial(spec, "resnet")
        depth, width, strides = options["depth"], int(options["width"]), options["strides"]
        if len(strides) != len(depth) + 2:
            raise BadUsage("resnet needs a stride for the stem, the pooling and each stage", given=strides)
        self.flat = dimensions == 2
        self.stem = convolution(dimensions, (spec.channels, width), options["stem"], strides[0], bias=False)
        self.stem_norm = norm(dimensions, width)
        self.pool = _pool(dimensions, strides[1])
        self.stages = nn.ModuleList()
        entered = width
        for stage, (count, stride) in enumerate(zip(depth, strides[2:], strict=True)):
            left = width * 2**stage
            kernel = [min(k, 3) for k in options["stem"]]
            first = BatchNormBlock(dimensions, (entered, left), kernel, stride)
            rest = [BatchNormBlock(dimensions, (left, left), kernel, (1, 1, 1)) for _ in range(count - 1)]
            self.stages.append(nn.Sequential(first, *rest))
            entered = left
        self.last_map = nn.Identity()
        self.channels = (entered,)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, Z, Y, X) to (B, D)."""
        x = x.squeeze(2) if self.flat else x
        x = self.pool(functional.relu(self.stem_norm(self.stem(x)), inplace=True))
        for stage in self.stages:
            x = stage(x)
        x = self.last_map(x.unsqueeze(2) if self.flat else x)
        return x.mean(dim=(2, 3, 4))


class ResNetModel:
    """ResNet-18 for pictures; for volumes one block a stage and half the channels, which two cores can train."""

    takes = frozenset({"image"})
    dimensions = frozenset({2, 3})
    gives: Gives = "vector"
    fitted: Literal["gradient", "once"] = "gradient"

    def options(self, spec: InputSpec) -> dict[str, Any]:
        flat = spatial(spec, "resnet") == 2
        if flat:
            small = max(spec.shape) <= SMALL
            entry = [[1, 1, 1], [1, 1, 1]] if small else [[1, 2, 2], [1, 2, 2]]
            stages = [[1, 1, 1], *[[1, 2, 2]] * (STAGES - 1)]
            stem = [1, 3, 3] if small else [1, 7, 7]
            return {"depth": [2] * STAGES, "width": 64, "stem": stem, "strides": [*entry, *stages]}
        strides = _volume_strides(spec)
        return {"depth": [1] * STAGES, "width": 32, "stem": [3, 3, 3], "strides": strides}

    def build(self, spec: InputSpec, options: Mapping[str, Any]) -> nn.Module:
        return ResNet(spec, options)

    def stride(self, options: Mapping[str, Any]) -> tuple[int, int, int]:
        # Padded convolutions and a mean over space take any size.
        return (1, 1, 1)

    def cost(self, spec: InputSpec, options: Mapping[str, Any]) -> Cost:
        return estimate(lambda: self.build(spec, options), spec)


def _volume_strides(spec: InputSpec) -> list[list[int]]:
    """Stem, pooling, stages: an axis is halved unless its steps are twice as coarse as the finest, or it is short."""
    size, step, strides = list(spec.shape), list(spec.spacing), []
    for place in range(STAGES + 2):
        # The pooling halves always, the stem only large volumes (a stride would skip the small spots that a maximum
        # keeps, and with one channel a stem at full size is cheap), the first stage never, as in ResNet.
        wanted = {0: max(spec.shape) > 2 * SMALL, 1: True, 2: False}.get(place, True)
        able = [axis for axis in range(3) if wanted and size[axis] > 2]
        finest = min((step[axis] for axis in able), default=0.0)
        chosen = [axis for axis in able if step[axis] < 2 * finest]
        for axis in chosen:
            size[axis], step[axis] = -(-size[axis] // 2), step[axis] * 2
        strides.append([2 if axis in chosen else 1 for axis in range(3)])
    return strides


def _pool(dimensions: Literal[2, 3], stride: Sequence[int]) -> nn.Module:
    size = tuple(stride)[-dimensions:]
    if max(size) == 1:
        return nn.Identity()
    kernel = tuple(3 if s > 1 else 1 for s in size)
    padding = tuple(k // 2 for k in kernel)
    return nn.MaxPool2d(kernel, size, padding) if dimensions == 2 else nn.MaxPool3d(kernel, size, padding)


MODEL: Model = ResNetModel()
