"""Samples or letters in order as columns, for estimators that know no order."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from diascope.models import InputSpec

ORDERED = frozenset({"signal", "sequence"})
"""Kinds of input that are flattened."""
MOST = 1024
"""Columns at most: of what is longer, neighbours are averaged."""


def columns_of(spec: InputSpec) -> InputSpec:
    """What an estimator of columns is built for: the spec of a table as it is, of a signal that of its samples."""
    if spec.kind not in ORDERED:
        return spec
    channels, length = _size(spec)
    return InputSpec("table", channels * length, 0, outputs=spec.outputs)


def _size(spec: InputSpec) -> tuple[int, int]:
    """Channels without that which says where samples are, and steps of each."""
    channels = spec.channels - (spec.kind == "signal")
    return channels, min(spec.shape[2], max(1, MOST // channels))


class Flattened(nn.Module):
    """The columns of an input: a table's own; of a signal the samples, averaged where they are many, nan where missing.

    Args:
        spec: Kind, channels and length.
    """

    def __init__(self, spec: InputSpec) -> None:
        super().__init__()
        self.kind, self.length = spec.kind, spec.shape[2]
        self.steps = _size(spec)[1] if spec.kind in ORDERED else 0

    def forward(self, rows: Tensor) -> Tensor:
        """(B, D), or (B, C, T) to (B, D)."""
        if not self.steps:
            return rows
        there = rows[:, -1:] if self.kind == "signal" else torch.ones_like(rows[:, :1])
        values = rows[:, :-1] if self.kind == "signal" else rows
        # Equal bins, the last one filled up: any length that is read gives the same columns.
        size = math.ceil(rows.shape[2] / self.steps)
        values, there = (_binned(torch.nan_to_num(one), size, self.steps) for one in (values * there, there))
        found = torch.where(there > 0, values / there.clamp_min(1e-6), values.new_tensor(torch.nan))
        return found.flatten(1)


def _binned(values: Tensor, size: int, steps: int) -> Tensor:
    """(B, C, T) to sums of `size` neighbours, (B, C, steps)."""
    padded = nn.functional.pad(values, (0, size * steps - values.shape[2]))
    return padded.reshape(*values.shape[:2], steps, size).sum(3)
