"""How well a back end reproduces the reference: the same decisions, and how far the numbers differ."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from diascope.backends import Runner


@dataclass(frozen=True)
class Agreement:
    """What a comparison on some examples gave.

    Args:
        examples: Batches compared.
        same: Share of decisions (voxels, or cases for a vector) that are the same: the largest of K scores, or the
            sign of a single one.
        difference: Largest absolute difference of scores.
        spread: Standard deviation of the reference's scores, to judge `difference` by.
    """

    examples: int
    same: float
    difference: float
    spread: float


def agreement(reference: Runner, candidate: Runner, examples: Iterable[Tensor]) -> Agreement:
    """Run both on the same examples (B, C, Z, Y, X) and compare their scores (B, K, ...)."""
    count = equal = decisions = 0
    difference = spread = 0.0
    for example in examples:
        expected, found = reference(example).float().cpu(), candidate(example).float().cpu()
        same = _decisions(expected) == _decisions(found)
        equal, decisions, count = equal + int(same.sum()), decisions + same.numel(), count + 1
        # Not-a-number must show up as an infinite difference, not be lost in max().
        apart = (expected - found).abs().nan_to_num(nan=torch.inf)
        difference, spread = max(difference, float(apart.max())), max(spread, float(expected.std(correction=0)))
    return Agreement(count, equal / decisions if decisions else 0.0, difference, spread)


def _decisions(scores: Tensor) -> Tensor:
    return scores > 0 if scores.shape[1] == 1 else scores.argmax(dim=1)
