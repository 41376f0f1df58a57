"""Characters of a text as vectors: rows of an embedding for those of the training part, one row for all others."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from diascope.core.errors import BadUsage
from diascope.models import InputSpec

PADDING, UNKNOWN = 0, 1
"""Rows of the embedding: the end of the text, and a character that training has not seen."""
CHINESE = (0x3400, 0x9FFF)
"""Range of nearly all Chinese characters."""


class Letters(nn.Module):
    """Code points (B, L), 0 after the end, to (B, D, L).

    Args:
        spec: Its `alphabet` has a row each.
        width: D.
    """

    codes: Tensor
    rows: Tensor

    def __init__(self, spec: InputSpec, width: int) -> None:
        super().__init__()
        codes, rows = torch.sort(torch.tensor(spec.alphabet or (0,), dtype=torch.int32))
        self.register_buffer("codes", codes)
        self.register_buffer("rows", rows.to(torch.int32) + 2)
        self.embedding = nn.Embedding(len(spec.alphabet) + 2, width, padding_idx=PADDING)
        nn.init.normal_(self.embedding.weight, std=width**-0.5)
        with torch.no_grad():
            self.embedding.weight[PADDING].zero_()

    def forward(self, text: Tensor) -> Tensor:
        """(B, L) code points to (B, D, L)."""
        place = torch.searchsorted(self.codes, text.contiguous()).clamp_max(len(self.codes) - 1)
        rows = torch.where(self.codes[place] == text, self.rows[place], UNKNOWN)
        embedded: Tensor = self.embedding(torch.where(text == 0, PADDING, rows))
        return embedded.transpose(1, 2)


def in_letters(spec: InputSpec, name: str) -> int:
    """The length L of a text.

    Raises:
        BadUsage: When the input is no text.
    """
    if spec.kind != "text" or spec.dimensions != 1:
        raise BadUsage(f"the model {name} encodes texts", given=f"an input of kind {spec.kind!r}")
    return spec.shape[2]


def present(text: Tensor) -> Tensor:
    """(B, 1, L), 1 where there is a character."""
    return (text > 0).float()[:, None]


def is_chinese(spec: InputSpec) -> bool:
    """Whether most of the training part's different characters are Chinese: each of them then is a word nearly."""
    inside = sum(CHINESE[0] <= code <= CHINESE[1] for code in spec.alphabet)
    return 2 * inside > len(spec.alphabet)
