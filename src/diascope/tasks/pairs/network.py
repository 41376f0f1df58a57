"""A network that makes an image, in its unit, of what it sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from diascope.engine.network import OutputShape


class MakingNetwork(nn.Module):
    """An encoder-decoder with one head; its answer is in the unit of the target.

    Where input and target have one unit, what is learnt is the difference of the two: the network begins as the input
    itself (residual learning, Zhang 2017).

    Args:
        encoder: Gives `dense` maps, full resolution first.
        scale: Where the answer begins and how much a 1 of the head is, in the unit of the target.
        undo: Mean and deviation that bring the first channel back to its unit, to which the answer is then added; None
            where the units differ.
    """

    output: OutputShape = "values"
    start: Tensor
    step: Tensor
    mean: Tensor
    spread: Tensor

    def __init__(self, encoder: nn.Module, scale: Sequence[float], undo: Sequence[float] | None) -> None:
        super().__init__()
        self.encoder = encoder
        widths: Sequence[int] = encoder.channels  # type: ignore[assignment]
        self.head = nn.Conv3d(widths[0], 1, kernel_size=1)
        self.added = undo is not None
        start, step = scale
        mean, spread = undo or (0.0, 1.0)
        for name, number in (("start", start), ("step", step), ("mean", mean), ("spread", spread)):
            self.register_buffer(name, torch.tensor(float(number)))
        if self.added:
            nn.init.zeros_(self.head.weight)
            nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """(B, 1, Z, Y, X) in the unit of the target, float32 whatever the network's precision."""
        image = inputs["image"]
        made: Tensor = self.head(self.encoder(image)[0]).float() * self.step + self.start
        if self.added:
            made = made + image[:, :1].float() * self.spread + self.mean
        return made
