"""A small picture of noise: no input of a case is read (`kind="none"`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from torch import Tensor, nn
from torch.nn import functional

from diascope.models import Cost, Gives, InputSpec, Model


class Generator(nn.Module):
    """A coarse map by one linear layer, twice as fine by interpolation, then two convolutions.

    Args:
        spec: `channels` numbers of noise in, a picture of `outputs` channels and the size of `shape` out.
        width: Channels of the maps.
    """

    gives: Gives = "image"

    def __init__(self, spec: InputSpec, width: int) -> None:
        super().__init__()
        self.channels, self.size = (spec.outputs,), spec.shape[1:]
        self.coarse = (width, *(-(-side // 2) for side in self.size))
        y, x = self.coarse[1:]
        self.first = nn.Linear(spec.channels, width * y * x)
        self.second = nn.Conv2d(width, width, kernel_size=3, padding=1)
        self.last = nn.Conv2d(width, spec.outputs, kernel_size=3, padding=1)

    def forward(self, noise: Tensor) -> Tensor:
        """(B, D) to (B, C, 1, Y, X)."""
        maps = functional.leaky_relu(self.first(noise), 0.2).view(-1, *self.coarse)
        fine = functional.interpolate(maps, size=self.size, mode="bilinear", align_corners=False)
        picture: Tensor = self.last(functional.leaky_relu(self.second(fine), 0.2))
        return picture.unsqueeze(2)


class ToyGenerator:
    """Flat pictures only."""

    takes = frozenset({"none"})
    dimensions = frozenset({0})
    gives: Gives = "image"
    fitted: Literal["gradient", "once"] = "gradient"

    def options(self, spec: InputSpec) -> dict[str, Any]:
        return {"width": 16}

    def build(self, spec: InputSpec, options: Mapping[str, Any]) -> nn.Module:
        return Generator(spec, int(options["width"]))

    def stride(self, options: Mapping[str, Any]) -> tuple[int, int, int]:
        return (1, 1, 1)

    def cost(self, spec: InputSpec, options: Mapping[str, Any]) -> Cost:
        width, pixels = int(options["width"]), spec.shape[1] * spec.shape[2]
        convolutions = 9 * width * (width + spec.outputs)
        linear = spec.channels * width * pixels // 4
        flop = 6 * (linear + convolutions * pixels)
        return Cost(parameters=linear + convolutions, gflop=1e-9 * flop, activation_bytes=16 * width * pixels)


MODEL: Model = ToyGenerator()
