"""Networks that tasks put together: encoders of the named inputs, then fusion, then a head."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

OutputShape = Literal["vector", "dense", "image", "boxes"]
Reduce = Callable[[Tensor], tuple[Tensor, Tensor]]


class VectorNetwork(nn.Module):
    """Encoders that give vectors, joined end to end, then one linear layer.

    Args:
        encoders: Input name to a module that maps it to (B, D).
        outputs: K, how many numbers the head gives.
        dropout: Share of features dropped in training.
    """

    output: OutputShape = "vector"

    def __init__(self, encoders: Mapping[str, nn.Module], outputs: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.encoders = nn.ModuleDict(encoders)
        width = sum(encoder.channels[0] for encoder in encoders.values())  # type: ignore[index,misc]
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, outputs)
        self.outputs = outputs

    def features(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """(B, D): what the encoders give, in the order of their names."""
        return torch.cat([encoder(inputs[name]) for name, encoder in self.encoders.items()], dim=1)

    def answer(self, features: Tensor) -> Tensor:
        """(B, D) to (B, K) outputs, before any calibration."""
        return self.head(self.dropout(features))  # type: ignore[no-any-return]

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """(B, K) outputs, before any calibration."""
        return self.answer(self.features(inputs))


class AnswerNetwork(nn.Module):
    """An estimator that was fitted at once and answers without a head."""

    output: OutputShape = "vector"

    def __init__(self, name: str, estimator: nn.Module) -> None:
        super().__init__()
        self.name, self.estimator = name, estimator

    def features(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """No features: (B, 0)."""
        return inputs[self.name].new_zeros((len(inputs[self.name]), 0))

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """(B, K) answers."""
        return self.estimator(inputs[self.name])  # type: ignore[no-any-return]


class DenseNetwork(nn.Module):
    """An encoder-decoder with one 1x1 head a level (the coarser ones are for deep supervision).

    Args:
        encoder: Gives `dense` maps, full resolution first.
        outputs: K, channels of the logits.
        levels: How many levels have a head in training.
        reduce: Logits (K, Z, Y, X) to (labels uint8, probability of the label), both (Z, Y, X).
    """

    output: OutputShape = "dense"

    def __init__(self, encoder: nn.Module, outputs: int, levels: int, reduce: Reduce) -> None:
        super().__init__()
        self.encoder, self.reduce = encoder, reduce
        channels: Sequence[int] = encoder.channels  # type: ignore[assignment]
        self.heads = nn.ModuleList(nn.Conv3d(width, outputs, kernel_size=1) for width in channels[:levels])

    def levels(self, inputs: Mapping[str, Tensor]) -> list[Tensor]:
        """Logits (B, K, Z, Y, X) of each level that has a head, full resolution first."""
        maps = self.encoder(inputs["image"])
        return [head(level) for head, level in zip(self.heads, maps, strict=False)]

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Full-resolution logits (B, K, Z, Y, X)."""
        return self.heads[0](self.encoder(inputs["image"])[0])  # type: ignore[no-any-return]
