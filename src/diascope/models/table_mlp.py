"""A table row through embeddings and a residual multilayer perceptron, learnt by gradient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from diascope.models import Cost, Gives, InputSpec, Model

EMBEDDED = 8
"""Numbers that stand for a word of a category."""
FAR = 3.0
"""Spreads from the middle beyond which numbers grow by their logarithm: one slip of the pen must not rule a step."""


class Columns(nn.Module):
    """Numbers standardised, words embedded, and an indicator of what is missing.

    Args:
        spec: `categories` and `scales` are read from it.
    """

    middle: Tensor
    spread: Tensor

    def __init__(self, spec: InputSpec) -> None:
        super().__init__()
        categories = spec.categories or (0,) * spec.channels
        scales = spec.scales or ((0.0, 1.0),) * spec.channels
        self.numbers = [column for column, words in enumerate(categories) if not words]
        self.words = [column for column, words in enumerate(categories) if words]
        self.register_buffer("middle", torch.tensor([scales[column][0] for column in self.numbers]))
        self.register_buffer("spread", torch.tensor([scales[column][1] for column in self.numbers]))
        # Index 0 is a missing or unknown word.
        self.embeddings = nn.ModuleList(nn.Embedding(categories[column] + 1, EMBEDDED) for column in self.words)
        self.width = 2 * len(self.numbers) + EMBEDDED * len(self.words)

    def forward(self, rows: Tensor) -> Tensor:
        """(B, D) with nan for missing to (B, `width`)."""
        numbers = rows[:, self.numbers]
        missing = torch.isnan(numbers)
        standard = torch.where(missing, torch.zeros_like(numbers), (numbers - self.middle) / self.spread)
        beyond = standard.abs().clamp_min(FAR)
        tame = standard.clamp(-FAR, FAR) + standard.sign() * torch.log1p(beyond - FAR)
        words = torch.nan_to_num(rows[:, self.words] + 1, nan=0.0).long()
        embedded = [layer(words[:, number]) for number, layer in enumerate(self.embeddings)]
        return torch.cat([tame, missing.to(rows.dtype), *embedded], dim=1)


class Block(nn.Module):
    """Two layers around which the input goes straight on (Gorishniy et al. 2021)."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 2 * width),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(2 * width, width),
        )

    def forward(self, values: Tensor) -> Tensor:
        """(B, D) to (B, D)."""
        return values + self.layers(values)  # type: ignore[no-any-return]


class Perceptron(nn.Module):
    """Columns, then residual blocks."""

    gives: Gives = "vector"

    def __init__(self, spec: InputSpec, options: Mapping[str, Any]) -> None:
        super().__init__()
        width = int(options["width"])
        self.channels = (width,)
        self.columns = Columns(spec)
        self.first = nn.Linear(self.columns.width, width)
        self.blocks = nn.Sequential(*(Block(width, float(options["dropout"])) for _ in range(int(options["blocks"]))))
        self.last = nn.Sequential(nn.LayerNorm(width), nn.ReLU())

    def forward(self, rows: Tensor) -> Tensor:
        """(B, D) to (B, width)."""
        return self.last(self.blocks(self.first(self.columns(rows))))  # type: ignore[no-any-return]


class TableMlp:
    """Small by default: clinical tables have hundreds of rows."""

    takes = frozenset({"table"})
    dimensions = frozenset({0})
    gives: Gives = "vector"
    fitted: Literal["gradient", "once"] = "gradient"

    def options(self, spec: InputSpec) -> dict[str, Any]:
        return {"width": 64, "blocks": 2, "dropout": 0.2}

    def build(self, spec: InputSpec, options: Mapping[str, Any]) -> nn.Module:
        return Perceptron(spec, options)

    def stride(self, options: Mapping[str, Any]) -> tuple[int, int, int]:
        return (1, 1, 1)

    def cost(self, spec: InputSpec, options: Mapping[str, Any]) -> Cost:
        words = [count for count in spec.categories if count]
        width, blocks = int(options["width"]), int(options["blocks"])
        entry = 2 * (spec.channels - len(words)) + EMBEDDED * len(words)
        weights = entry * width + 4 * blocks * width * width
        parameters = weights + EMBEDDED * sum(count + 1 for count in words) + (5 * blocks + 3) * width
        return Cost(parameters=parameters, gflop=6e-9 * weights, activation_bytes=4 * (entry + 8 * blocks * width))


MODEL: Model = TableMlp()
