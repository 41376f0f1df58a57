"""Overlap of boxes as tensors: (..., 6) start and stop (z, y, x) of voxel edges. Flat boxes have a depth of 1."""

from __future__ import annotations

import torch
from torch import Tensor

SMALLEST = 1e-7


def volume(boxes: Tensor) -> Tensor:
    """(..., 6) to (...); 0 where a box is inside out."""
    return (boxes[..., 3:] - boxes[..., :3]).clamp(min=0).prod(dim=-1)


def iou(one: Tensor, other: Tensor) -> Tensor:
    """Intersection over union of boxes that broadcast: (..., 6) and (..., 6) to (...)."""
    return _shares(one, other)[0]


def giou(one: Tensor, other: Tensor) -> Tensor:
    """Generalised intersection over union, -1 to 1 (Rezatofighi 2019, arXiv:1902.09630): also where boxes lie apart."""
    share, union = _shares(one, other)
    low, high = torch.minimum(one[..., :3], other[..., :3]), torch.maximum(one[..., 3:], other[..., 3:])
    hull = (high - low).clamp(min=0).prod(dim=-1).clamp(min=SMALLEST)
    return share - (hull - union) / hull


def _shares(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    low, high = torch.maximum(one[..., :3], other[..., :3]), torch.minimum(one[..., 3:], other[..., 3:])
    inside = (high - low).clamp(min=0).prod(dim=-1)
    union = (volume(one) + volume(other) - inside).clamp(min=SMALLEST)
    return inside / union, union
