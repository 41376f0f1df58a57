"""Networks that tasks put together: encoders of the named inputs, then fusion, then a head."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from diascope.models import Gives

OutputShape = Literal["vector", "dense", "values", "image", "boxes", "tokens"]
Reduce = Callable[[Tensor], tuple[Tensor, Tensor]]


PRESENT = "present"
"""Name of the numbers (B, inputs) that say which inputs a case has, in the order of their sorted names."""
FUSED = 128
"""Numbers that every input is brought to before they are weighed."""
LEFT_OUT = 0.2
"""Share of the inputs of a case that training leaves out."""


class Fusion(nn.Module):
    """Gated late fusion: each input brought to one width, weighed by gates that see all of them, and added.

    What a case lacks has no weight. In training inputs are left out at random (modality dropout, Neverova et al. 2016),
    so that no input is relied upon alone; a case keeps one at least.

    Args:
        widths: D of each input, in the order of their sorted names.
        width: Of what comes out.
        dropout: Share of inputs left out in training.
    """

    def __init__(self, widths: Sequence[int], width: int = FUSED, dropout: float = LEFT_OUT) -> None:
        super().__init__()
        self.brought = nn.ModuleList(nn.Sequential(nn.Linear(one, width), nn.LayerNorm(width)) for one in widths)
        self.gates = nn.Linear(width * len(widths), len(widths))
        self.dropout = dropout

    def forward(self, vectors: Sequence[Tensor], present: Tensor) -> Tensor:
        """Vectors (B, D) of each input and (B, N) which are there, to (B, width)."""
        kept = self._kept(present) if self.training else present
        brought = [
            layer(one) * kept[:, n, None] for n, (layer, one) in enumerate(zip(self.brought, vectors, strict=True))
        ]
        stacked = torch.stack(brought, dim=1)
        weights = torch.sigmoid(self.gates(stacked.flatten(1))) * kept
        weights = weights / weights.sum(dim=1, keepdim=True).clamp_min(1e-6)
        return (weights[..., None] * stacked).sum(dim=1)

    def _kept(self, present: Tensor) -> Tensor:
        kept = present * (torch.rand_like(present) >= self.dropout)
        return torch.where(kept.sum(dim=1, keepdim=True) > 0, kept, present)


class VectorNetwork(nn.Module):
    """Encoders that give vectors, fused where there are several, then one linear layer.

    Args:
        encoders: Input name to a module that maps it to (B, D).
        outputs: K, how many numbers the head gives.
        dropout: Share of features dropped in training.
    """

    output: OutputShape = "vector"

    def __init__(self, encoders: Mapping[str, nn.Module], outputs: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.encoders = nn.ModuleDict({name: encoders[name] for name in sorted(encoders)})
        widths: list[int] = [encoder.channels[0] for encoder in self.encoders.values()]  # type: ignore[index,misc]
        self.fusion = Fusion(widths) if len(widths) > 1 else None
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(FUSED if self.fusion else widths[0], outputs)
        self.outputs = outputs

    def features(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """(B, D): what the encoders give."""
        vectors: list[Tensor] = [encoder(inputs[name]) for name, encoder in self.encoders.items()]
        if self.fusion is None:
            return vectors[0]
        fused: Tensor = self.fusion(vectors, inputs[PRESENT])
        return fused

    def answer(self, features: Tensor) -> Tensor:
        """(B, D) to (B, K) outputs, before any calibration."""
        answer: Tensor = self.head(self.dropout(features))
        return answer

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """(B, K) outputs, before any calibration."""
        return self.answer(self.features(inputs))


class SliceBySlice(nn.Module):
    """An encoder of two dimensions that reads a volume: the mean of what it gives for the slices.

    Args:
        encoder: Maps (B, C, 1, Y, X) to (B, D).
    """

    gives: Gives = "vector"

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.channels: Sequence[int] = encoder.channels  # type: ignore[assignment]

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, Z, Y, X) to (B, D)."""
        slices = x.movedim(2, 1).flatten(0, 1).unsqueeze(2)
        given: Tensor = self.encoder(slices)
        return given.reshape(len(x), -1, given.shape[1]).mean(dim=1)


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
