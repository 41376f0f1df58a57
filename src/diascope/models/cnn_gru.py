"""Motif detectors and a recurrent network over them: convolutions, bidirectional GRU, attention (DanQ, Quang 2016)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from diascope.core.errors import BadUsage
from diascope.models import Cost, Gives, InputSpec, Model
from diascope.models.blocks.estimate import estimate
from diascope.models.blocks.series import (
    ConvNorm1d,
    Recurrent,
    Residual1d,
    in_order,
    mean_and_most,
    recurrent_macs,
    strides_to,
    thinned,
    total,
    valid,
)

STEPS = 96
"""That the recurrent network takes at most: strided blocks shorten what is longer."""
PLACES = 512
"""Letters up to which every place has numbers of its own: aligned sequences (around a splice site, a promoter) say most
by where a letter stands, and of long ones nobody knows that they are aligned."""


class CnnGru(nn.Module):
    """Convolution as wide as a motif, residual blocks, recurrent layers in both directions with attention.

    Beside them stand mean and maximum of the maps, by which one strong motif is heard.

    Args:
        spec: Letters and length.
        options: `width`, `motif` (letters that the first convolution sees), `kernel`, `strides` (of the blocks),
            `layers`, `places` (numbers for each place, 0 for none), `dropout`.
    """

    gives: Gives = "vector"

    def __init__(self, spec: InputSpec, options: Mapping[str, Any]) -> None:
        super().__init__()
        length, width = _length(spec), int(options["width"])
        self.motifs = ConvNorm1d((spec.channels, width), int(options["motif"]))
        self.places = nn.Parameter(torch.zeros(1, width, length)) if options["places"] else None
        self.dropout = nn.Dropout(float(options["dropout"]))
        strides = options["strides"] or [1]
        self.blocks = nn.Sequential(
            *(Residual1d((width, width), int(options["kernel"]), int(stride)) for stride in strides)
        )
        self.recurrent = Recurrent(width, width, int(options["layers"]), "gru")
        self.channels = (2 * width + self.recurrent.channels[0],)

    def forward(self, x: Tensor) -> Tensor:
        """(B, A, T) to (B, D)."""
        x = torch.nan_to_num(x)  # an input that a case lacks is nan everywhere
        there = valid(x, "sequence")
        maps = self.motifs(x)
        if self.places is not None:
            # A place beyond the longest of training has no numbers of its own.
            maps = maps + functional.pad(self.places, (0, maps.shape[2] - self.places.shape[2]))
        maps = self.blocks(self.dropout(maps * there))
        there = thinned(there, maps.shape[2])
        said = self.recurrent(maps.transpose(1, 2), there[:, 0])
        return torch.cat([mean_and_most(maps, there), said], dim=1)


class CnnGruModel:
    """Small by default: sets of labelled sequences have hundreds to thousands."""

    takes = frozenset({"sequence"})
    dimensions = frozenset({1})
    gives: Gives = "vector"
    fitted: Literal["gradient", "once"] = "gradient"

    def options(self, spec: InputSpec) -> dict[str, Any]:
        length = _length(spec)
        return {
            "width": 64,
            "motif": 9,
            "kernel": 5,
            "strides": strides_to(length, STEPS, 4) or [1],
            "layers": 1,
            "places": length <= PLACES,
            "dropout": 0.1,
        }

    def build(self, spec: InputSpec, options: Mapping[str, Any]) -> nn.Module:
        return CnnGru(spec, options)

    def stride(self, options: Mapping[str, Any]) -> tuple[int, int, int]:
        return (1, 1, 1)

    def cost(self, spec: InputSpec, options: Mapping[str, Any]) -> Cost:
        counted = estimate(lambda: self.build(spec, options), spec)
        steps, width = -(-_length(spec) // total(options["strides"])), int(options["width"])
        macs = recurrent_macs(width, width, int(options["layers"]), "gru", steps)
        kept = 4 * steps * int(options["layers"]) * 2 * width * 6
        return Cost(counted.parameters, counted.gflop + 6e-9 * macs, counted.activation_bytes + kept)


def _length(spec: InputSpec) -> int:
    if spec.kind != "sequence":
        raise BadUsage("the model cnn_gru encodes sequences", given=f"an input of kind {spec.kind!r}")
    return in_order(spec, "cnn_gru")


MODEL: Model = CnnGruModel()
