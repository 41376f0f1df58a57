"""Bidirectional GRU over the characters of a text, with attention over its steps (Yang et al. 2016)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from torch import Tensor, nn

from diascope.models import Cost, Gives, InputSpec, Model
from diascope.models.blocks.estimate import estimate
from diascope.models.blocks.letters import Letters, in_letters, is_chinese, present
from diascope.models.blocks.series import ConvNorm1d, Recurrent, recurrent_macs, strides_to, thinned, total

STEPS = 256
"""That the recurrent network takes at most. Each step waits for the one before, so that time grows with them."""


class TextGru(nn.Module):
    """Embedding, strided convolutions that bring letters together, recurrent layers in both directions, attention.

    Args:
        spec: Length and alphabet.
        options: `embedding` (numbers of a character), `width` (channels, and of each direction), `kernel`, `strides`
            (of the convolutions), `layers`, `dropout` (share of characters' numbers dropped in training).
    """

    gives: Gives = "vector"

    def __init__(self, spec: InputSpec, options: Mapping[str, Any]) -> None:
        super().__init__()
        in_letters(spec, "text_gru")
        width, entered = int(options["width"]), int(options["embedding"])
        self.letters = Letters(spec, entered)
        self.dropout = nn.Dropout(float(options["dropout"]))
        stem: list[nn.Module] = []
        for stride in options["strides"]:
            stem.append(ConvNorm1d((entered, width), int(options["kernel"]), int(stride)))
            entered = width
        self.stem = nn.Sequential(*stem)
        self.recurrent = Recurrent(entered, width, int(options["layers"]), "gru")
        self.channels = self.recurrent.channels

    def forward(self, text: Tensor) -> Tensor:
        """(B, L) code points to (B, D)."""
        steps = self.stem(self.dropout(self.letters(text)))
        there = thinned(present(text), steps.shape[2])
        return self.recurrent(steps.transpose(1, 2), there[:, 0])  # type: ignore[no-any-return]


class TextGruModel:
    """Letters of an alphabet are brought together in fours at least; Chinese characters only where texts are long."""

    takes = frozenset({"text"})
    dimensions = frozenset({1})
    gives: Gives = "vector"
    fitted: Literal["gradient", "once"] = "gradient"

    def options(self, spec: InputSpec) -> dict[str, Any]:
        chinese = is_chinese(spec)
        strides = strides_to(in_letters(spec, "text_gru"), STEPS, 4)
        return {
            "embedding": 96 if chinese else 32,
            "width": 96,
            "kernel": 5 if chinese else 7,
            "strides": strides or ([1] if chinese else [4]),
            "layers": 1,
            "dropout": 0.1,
        }

    def build(self, spec: InputSpec, options: Mapping[str, Any]) -> nn.Module:
        return TextGru(spec, options)

    def stride(self, options: Mapping[str, Any]) -> tuple[int, int, int]:
        return (1, 1, 1)

    def cost(self, spec: InputSpec, options: Mapping[str, Any]) -> Cost:
        counted = estimate(lambda: self.build(spec, options), spec)
        steps = -(-in_letters(spec, "text_gru") // total(options["strides"]))
        width, layers = int(options["width"]), int(options["layers"])
        macs = recurrent_macs(width, width, layers, "gru", steps)
        kept = 4 * steps * layers * 2 * width * 6
        return Cost(counted.parameters, counted.gflop + 6e-9 * macs, counted.activation_bytes + kept)


MODEL: Model = TextGruModel()
