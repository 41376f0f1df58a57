"""Convolutional network over the characters of a text (Zhang, Zhao and LeCun 2015, with residual blocks)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from diascope.models import Cost, Gives, InputSpec, Model
from diascope.models.blocks.estimate import estimate
from diascope.models.blocks.letters import Letters, in_letters, is_chinese, present
from diascope.models.blocks.series import Attention, ConvNorm1d, Residual1d, thinned


class TextCnn(nn.Module):
    """Embedding, a convolution as wide as a word, strided residual blocks, then maximum and attention over the text.

    Args:
        spec: Length and alphabet.
        options: `embedding` (numbers of a character), `width` (channels), `kernel`, `strides` (of the blocks),
            `dropout` (share of characters' numbers dropped in training).
    """

    gives: Gives = "vector"

    def __init__(self, spec: InputSpec, options: Mapping[str, Any]) -> None:
        super().__init__()
        in_letters(spec, "text_cnn")
        width, kernel = int(options["width"]), int(options["kernel"])
        self.letters = Letters(spec, int(options["embedding"]))
        self.dropout = nn.Dropout(float(options["dropout"]))
        self.words = ConvNorm1d((int(options["embedding"]), width), kernel + 2)
        self.blocks = nn.Sequential(*(Residual1d((width, width), kernel, int(stride)) for stride in options["strides"]))
        self.attention = Attention(width)
        self.channels = (2 * width,)

    def forward(self, text: Tensor) -> Tensor:
        """(B, L) code points to (B, D)."""
        there = present(text)
        maps = self.blocks(self.words(self.dropout(self.letters(text))) * there)
        there = thinned(there, maps.shape[2])
        held = self.attention(maps.transpose(1, 2), there[:, 0])
        # After a ReLU nothing is below 0, so that what is not there never is the largest.
        most = functional.relu(maps * there).amax(dim=2)
        return torch.cat([most, held], dim=1)


class TextCnnModel:
    """Letters of an alphabet are soon brought together; Chinese characters, words already, are kept apart longer."""

    takes = frozenset({"text"})
    dimensions = frozenset({1})
    gives: Gives = "vector"
    fitted: Literal["gradient", "once"] = "gradient"

    def options(self, spec: InputSpec) -> dict[str, Any]:
        chinese = is_chinese(spec)
        return {
            "embedding": 96 if chinese else 32,
            "width": 128,
            "kernel": 3 if chinese else 5,
            "strides": [1, 2, 2] if chinese else [2, 2, 2],
            "dropout": 0.1,
        }

    def build(self, spec: InputSpec, options: Mapping[str, Any]) -> nn.Module:
        return TextCnn(spec, options)

    def stride(self, options: Mapping[str, Any]) -> tuple[int, int, int]:
        return (1, 1, 1)

    def cost(self, spec: InputSpec, options: Mapping[str, Any]) -> Cost:
        return estimate(lambda: self.build(spec, options), spec)


MODEL: Model = TextCnnModel()
