"""The door to MONAI's residual networks, in two and three dimensions; `--set weights=FILE` fills them from a file."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Literal

from torch import Tensor, nn

from diascope.core.errors import MissingPackage, UnknownName
from diascope.models import Cost, Gives, InputSpec, Model
from diascope.models.blocks.estimate import estimate
from diascope.models.blocks.topology import spatial

NETWORKS = ("resnet10", "resnet18", "resnet34", "resnet50", "resnet101")
SHORTCUTS = ("A", "B")


class MonaiNetwork(nn.Module):
    """A network of MONAI without its classifier."""

    gives: Gives = "vector"

    def __init__(self, body: nn.Module, flat: bool) -> None:
        super().__init__()
        self.body, self.flat = body, flat
        self.channels: tuple[int] = (body.in_planes,)  # type: ignore[assignment]

    @property
    def stages(self) -> list[list[nn.Module]]:
        """What can be frozen, from the input on."""
        stem = [self.body.conv1, self.body.bn1]
        layers = [getattr(self.body, f"layer{number}") for number in range(1, 5)]
        return [[*stem, layers[0]], *([layer] for layer in layers[1:])]

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, Z, Y, X) to (B, D)."""
        vector: Tensor = self.body(x.squeeze(2) if self.flat else x)
        return vector


class MonaiModel:
    """Options: `name` of the network; `shortcut_type` and `bias_downsample` as the weights have them.

    Those of MedicalNet (Chen 2019) have shortcuts of type A for resnet10 to resnet34 and of type B for larger ones.
    """

    takes = frozenset({"image"})
    dimensions = frozenset({2, 3})
    gives: Gives = "vector"
    fitted: Literal["gradient", "once"] = "gradient"

    def options(self, spec: InputSpec) -> dict[str, Any]:
        return {"name": "resnet18", "shortcut_type": "B", "bias_downsample": False}

    def build(self, spec: InputSpec, options: Mapping[str, Any]) -> nn.Module:
        dimensions, given = spatial(spec, "monai"), {**self.options(spec), **options}
        if given["name"] not in NETWORKS:
            raise UnknownName("residual network of MONAI", given["name"], NETWORKS)
        if given["shortcut_type"] not in SHORTCUTS:
            raise UnknownName("shortcut of MONAI's residual networks", str(given["shortcut_type"]), SHORTCUTS)
        body = getattr(_networks(), given["name"])(
            spatial_dims=dimensions,
            n_input_channels=spec.channels,
            feed_forward=False,
            shortcut_type=given["shortcut_type"],
            bias_downsample=bool(given["bias_downsample"]),
        )
        return MonaiNetwork(body, dimensions == 2)

    def stride(self, options: Mapping[str, Any]) -> tuple[int, int, int]:
        # Padded convolutions and a mean over space take any size.
        return (1, 1, 1)

    def cost(self, spec: InputSpec, options: Mapping[str, Any]) -> Cost:
        return estimate(lambda: self.build(spec, options), spec)


def _networks() -> Any:
    try:
        return importlib.import_module("monai.networks.nets.resnet")
    except ImportError as error:
        raise MissingPackage("monai", "monai", "the model monai") from error


MODEL: Model = MonaiModel()
