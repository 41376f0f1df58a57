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
    # One image after the other: all pairs of boxes and positions of a batch would fill the memory.
    found = [
        _of_image((logits, boxes), places, rows[torch.isfinite(rows).all(dim=-1)])
        for logits, boxes, rows in zip(*said, truth, strict=True)
    ]
    scores, boxes, weight, counted = (torch.stack(parts) for parts in zip(*found, strict=True))
    return Taught(scores, boxes, weight, counted)


def _of_image(
    said: tuple[Tensor, Tensor], places: tuple[Tensor, Tensor], truth: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Scores (P, K), boxes (P, 6), weights and what is counted (P,) of one image with the boxes (M, 8)."""
    logits, boxes = said
    count, known = logits.shape
    ignored, real = truth[truth[:, 7] != 0, :6], truth[truth[:, 7] == 0]
    hidden = _within(places, ignored).any(dim=0)
    if not len(real):
        return logits.new_zeros(count, known), boxes.detach(), logits.new_zeros(count), ~hidden
    overlap = iou(real[:, None, :6], boxes[None])
    label = real[:, 6].long()
    fit = logits.sigmoid().T[label].sqrt() * overlap**ALIKE
    fit = torch.where(_within(places, real[:, :6]), fit + 1e-12, torch.zeros_like(fit))
    best, where = fit.topk(min(TAUGHT, count), dim=1)
    chosen = torch.zeros_like(fit).scatter(1, where, (best > 0).to(fit.dtype)).bool()
    # Of several boxes that want a position, the one that it overlaps most has it.
    top, owner = torch.where(chosen, overlap + 1e-6, torch.zeros_like(overlap)).max(dim=0)
    chosen &= functional.one_hot(owner, len(real)).T.bool()
    # The best position of a box is asked for as much as it overlaps, the others for less.
    fit, shared = (torch.where(chosen, one, torch.zeros_like(one)) for one in (fit, overlap))
    share = fit / fit.amax(dim=1, keepdim=True).clamp(min=1e-12) * shared.amax(dim=1, keepdim=True)
    weight = share.amax(dim=0) * (top > 0)
    scores = functional.one_hot(label[owner], known) * weight[:, None]
    return scores, real[owner, :6], weight, ~hidden | (weight > 0)


def _within(places: tuple[Tensor, Tensor], boxes: Tensor) -> Tensor:
    """(M, P) whether a position lies in a box (M, 6), or near enough to the middle of a small one."""
    centres, strides = places
    middle, half = (boxes[:, :3] + boxes[:, 3:]) / 2, (boxes[:, 3:] - boxes[:, :3]) / 2
    finest = (strides == strides[0]).all(dim=1)
    least = torch.where(finest[:, None], NEAR * strides, torch.zeros_like(strides))
    reach = torch.maximum(half[:, None], least)
    return ((centres - middle[:, None]).abs() < reach).all(dim=-1)
