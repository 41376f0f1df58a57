"""A vector of a small picture, by two strided convolutions: the side of a game that judges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from torch import Tensor, nn
from torch.nn import functional

from diascope.models import Cost, Gives, InputSpec, Model
from diascope.models.blocks.estimate import estimate


class Critic(nn.Module):
    """Any size: the mean over space comes last."""

    gives: Gives = "vector"

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.channels = (2 * width,)
        self.first = nn.Conv2d(channels, width, kernel_size=3, stride=2, padding=1)
        self.second = nn.Conv2d(width, 2 * width, kernel_size=3, stride=2, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, 1, Y, X) to (B, 2 width)."""
        maps = functional.leaky_relu(self.first(images.squeeze(2)), 0.2)
        return functional.leaky_relu(self.second(maps), 0.2).mean(dim=(2, 3))


class ToyCritic:
    """Without normalisation, which would mix real and made pictures of a batch."""

    takes = frozenset({"image"})
    dimensions = frozenset({2})
    gives: Gives = "vector"
    fitted: Literal["gradient", "once"] = "gradient"

    def options(self, spec: InputSpec) -> dict[str, Any]:
        return {"width": 16}

    def build(self, spec: InputSpec, options: Mapping[str, Any]) -> nn.Module:
        return Critic(spec.channels, int(options["width"]))

    def stride(self, options: Mapping[str, Any]) -> tuple[int, int, int]:
        return (1, 1, 1)

    def cost(self, spec: InputSpec, options: Mapping[str, Any]) -> Cost:
        return estimate(lambda: self.build(spec, options), spec)


MODEL: Model = ToyCritic()
