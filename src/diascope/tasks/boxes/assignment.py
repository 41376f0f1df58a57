"""What each position is taught: the positions of a box are those that already say it best (TOOD, arXiv:2108.07755).

Boxes come as (B, M, 8): start and stop (z, y, x), number of the label, whether it is ignored; rows of nan are padding.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from diascope.tasks.boxes.overlap import iou

TAUGHT = 10
"""Positions that each box has at most."""
ALIKE = 6.0
"""Power of the overlap in how well a position says a box; the score of its label has the power 1/2."""
NEAR = 0.75
"""Strides: at the finest level a box has the positions that are so near to its middle, however small it is."""


@dataclass(frozen=True)
class Taught:
    """The target of every position.

    Args:
        scores: (B, P, K) of the labels.
        boxes: (B, P, 6); meaningless where nothing is taught.
        weight: (B, P) of the box: 0 where there is none.
        counted: (B, P) whether the scores are learnt: not where only an ignored box is.
    """

    scores: Tensor
    boxes: Tensor
    weight: Tensor
    counted: Tensor


@torch.no_grad()
def assigned(said: tuple[Tensor, Tensor], places: tuple[Tensor, Tensor], truth: Tensor) -> Taught:
    """Deal the boxes out to positions.

    Args:
        said: Logits (B, P, K) and boxes (B, P, 6).
        places: Positions (P, 3) and strides (P, 3), finest level first.
        truth: (B, M, 8).
    """
    logits, boxes = said
    centres, strides = places
    known = torch.isfinite(truth).all(dim=-1)
    filled = torch.nan_to_num(truth)
    real, ignored = known & (filled[..., 7] == 0), known & (filled[..., 7] != 0)
    within = _within(centres, strides, filled[..., :6])
    label = filled[..., 6].long().clamp(min=0)
    overlap = iou(filled[:, :, None, :6], boxes[:, None])
    score = logits.sigmoid().transpose(1, 2).gather(1, label[..., None].expand(-1, -1, logits.shape[1]))
    fit = score.sqrt() * overlap**ALIKE
    fit = torch.where(within & real[..., None], fit + 1e-12, torch.zeros_like(fit))
    best, where = fit.topk(min(TAUGHT, fit.shape[-1]), dim=-1)
    chosen = torch.zeros_like(fit).scatter(-1, where, (best > 0).to(fit.dtype)).bool()
    # Of several boxes that want a position, the one that it overlaps most has it.
    rival = torch.where(chosen, overlap + 1e-6, torch.zeros_like(overlap))
    top, owner = rival.max(dim=1)
    chosen &= functional.one_hot(owner, truth.shape[1]).transpose(1, 2).bool()
    # The best position of a box is asked for as much as it overlaps, the others for less.
    fit = torch.where(chosen, fit, torch.zeros_like(fit))
    most = torch.where(chosen, overlap, torch.zeros_like(overlap)).amax(dim=-1, keepdim=True)
    weight = (fit / fit.amax(dim=-1, keepdim=True).clamp(min=1e-12) * most).amax(dim=1) * (top > 0)
    mine = owner[..., None]
    scores = functional.one_hot(label.gather(1, owner), logits.shape[-1]) * weight[..., None]
    hidden = (_within(centres, strides, filled[..., :6]) & ignored[..., None]).any(dim=1)
    return Taught(
        scores=scores,
        boxes=filled[..., :6].gather(1, mine.expand(-1, -1, 6)),
        weight=weight,
        counted=~hidden | (weight > 0),
    )


def _within(centres: Tensor, strides: Tensor, boxes: Tensor) -> Tensor:
    """(B, M, P) whether a position lies in a box, or near enough to the middle of a small one."""
    middle, half = (boxes[..., :3] + boxes[..., 3:]) / 2, (boxes[..., 3:] - boxes[..., :3]) / 2
    finest = (strides == strides[0]).all(dim=1)
    least = torch.where(finest[:, None], NEAR * strides, torch.zeros_like(strides))
    reach = torch.maximum(half[:, :, None], least)
    return ((centres - middle[:, :, None]).abs() < reach).all(dim=-1)
