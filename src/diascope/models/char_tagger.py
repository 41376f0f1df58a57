"""Something of every character of a text: residual dilated convolutions over characters and pairs (arXiv:1702.02098).

Pairs of neighbours are looked up by a hash: which pairs there are need not be known, and two that share a row are told
apart by their characters. A bidirectional GRU may stand above the convolutions; it costs more than all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from diascope.models import Cost, Gives, InputSpec, Model
from diascope.models.blocks.estimate import estimate
from diascope.models.blocks.letters import Letters, in_letters, is_chinese, present
from diascope.models.blocks.series import recurrent_macs

FACTORS = (92_821, 486_187_739)
"""Odd numbers that spread a pair of code points over the rows of the embedding."""
UNSEEN = 0x10FFFF
"""A code point that no text holds: it stands for a character that training has not seen."""


class Block(nn.Module):
    """Norm, dilated convolution, GELU, dropout, beside a shortcut; what is behind the end of the text stays 0."""

    def __init__(self, width: int, kernel: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.convolution = nn.Conv1d(width, width, kernel, padding=kernel // 2 * dilation, dilation=dilation)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, there: Tensor) -> Tensor:
        """(B, D, L), of which (B, 1, L) are there."""
        normed = self.norm(x.transpose(1, 2)).transpose(1, 2) * there
        added: Tensor = self.dropout(functional.gelu(self.convolution(normed)))
        return (x + added) * there


class CharTagger(nn.Module):
    """Embeddings of characters and of pairs with the neighbours, convolutions, perhaps a GRU in both directions.

    Args:
        spec: Alphabet.
        options: `embedding` (numbers of a character), `pairs` (rows of the embedding of pairs), `pair` (numbers of a
            pair), `width` (channels), `kernel`, `dilations` (of the blocks), `recurrent` (numbers of each direction of
            the GRU; 0: none), `dropout`, `unseen` (share of characters that training makes unseen, so that those of
            other texts are known how to be read).
    """

    gives: Gives = "tokens"

    def __init__(self, spec: InputSpec, options: Mapping[str, Any]) -> None:
        super().__init__()
        in_letters(spec, "char_tagger")
        width, kernel, dropout = int(options["width"]), int(options["kernel"]), float(options["dropout"])
        self.letters = Letters(spec, int(options["embedding"]))
        self.pairs = nn.Embedding(int(options["pairs"]), int(options["pair"]))
        nn.init.normal_(self.pairs.weight, std=int(options["pair"]) ** -0.5)
        self.dropout, self.unseen = nn.Dropout(dropout), float(options["unseen"])
        self.entry = nn.Conv1d(int(options["embedding"]) + 2 * int(options["pair"]), width, kernel, padding=kernel // 2)
        self.blocks = nn.ModuleList(Block(width, kernel, int(one), dropout) for one in options["dilations"])
        self.norm = nn.LayerNorm(width)
        recurrent = int(options["recurrent"])
        self.recurrent = nn.GRU(width, recurrent, batch_first=True, bidirectional=True) if recurrent else None
        self.channels = (2 * recurrent if recurrent else width,)

    def forward(self, text: Tensor) -> Tensor:
        """(B, L) code points to (B, D, L)."""
        there = present(text)
        text = self._with_unseen(text)
        joined = self._pairs(text) * there.transpose(1, 2)
        # The pair with the character before, and the one with the character behind.
        following = functional.pad(joined[:, 1:], (0, 0, 0, 1))
        letters = self.letters(text)
        x = self.dropout(torch.cat([letters, joined.transpose(1, 2), following.transpose(1, 2)], dim=1)) * there
        x = functional.gelu(self.entry(x)) * there
        for block in self.blocks:
            x = block(x, there)
        x = self.norm(x.transpose(1, 2))
        if self.recurrent is not None:
            x, _ = self.recurrent(self.dropout(x) * there.transpose(1, 2))
        said: Tensor = x.transpose(1, 2) * there
        return said

    def _with_unseen(self, text: Tensor) -> Tensor:
        if not self.training or not self.unseen:
            return text
        drawn = torch.rand(text.shape, device=text.device) < self.unseen
        return torch.where(drawn & (text > 0), UNSEEN, text)

    def _pairs(self, text: Tensor) -> Tensor:
        """(B, L, D) of each character with the one before it."""
        codes = text.long()
        before = functional.pad(codes[:, :-1], (1, 0))
        rows = (before * FACTORS[0] + codes * FACTORS[1]) % self.pairs.num_embeddings
        found: Tensor = self.pairs(rows)
        return found


class CharTaggerModel:
    """A Chinese character says much and its words are short; letters need a wider look."""

    takes = frozenset({"text"})
    dimensions = frozenset({1})
    gives: Gives = "tokens"
    fitted: Literal["gradient", "once"] = "gradient"

    def options(self, spec: InputSpec) -> dict[str, Any]:
        chinese = is_chinese(spec)
        return {
            "embedding": 128 if chinese else 64,
            "pairs": 32768 if chinese else 4096,
            "pair": 48,
            "width": 192,
            "kernel": 3 if chinese else 5,
            "dilations": [1, 2, 4, 1] if chinese else [1, 2, 4, 8, 1],
            "recurrent": 0,
            "dropout": 0.4 if chinese else 0.3,
            "unseen": 0.01,
        }

    def build(self, spec: InputSpec, options: Mapping[str, Any]) -> nn.Module:
        return CharTagger(spec, options)

    def stride(self, options: Mapping[str, Any]) -> tuple[int, int, int]:
        return (1, 1, 1)

    def cost(self, spec: InputSpec, options: Mapping[str, Any]) -> Cost:
        counted = estimate(lambda: self.build(spec, {**options, "recurrent": 0}), spec)
        width, steps = int(options["recurrent"]), in_letters(spec, "char_tagger")
        if not width:
            return counted
        macs = recurrent_macs(int(options["width"]), width, 1, "gru", steps)
        own = 6 * width * (int(options["width"]) + width + 2)
        return Cost(
            counted.parameters + own, counted.gflop + 6e-9 * macs, counted.activation_bytes + 48 * steps * width
        )


MODEL: Model = CharTaggerModel()
