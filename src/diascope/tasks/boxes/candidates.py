"""From the candidates of all positions to boxes: the best of those that say the same (non-maximum suppression)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from diascope.tasks.boxes.overlap import iou

LEAST = 0.02
"""Scores below say nothing that a curve would show."""
CONSIDERED = 600
"""Candidates of each label."""
KEPT = 100
"""Boxes of a label in an image, as COCO counts them."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Said:
    """Boxes of one image, the surest first.

    Args:
        corners: (N, 6) start and stop (z, y, x).
        labels: (N,) number of the label.
        scores: (N,) 0 to 1.
    """

    corners: Floats
    labels: npt.NDArray[np.intp]
    scores: Floats


def suppressed(candidates: npt.NDArray[Any], limit: float) -> Said:
    """Greedy suppression, each label by itself.

    Args:
        candidates: (P, 6 + K) box and score of each label.
        limit: Overlap from which on two boxes of a label are one.
    """
    said = torch.from_numpy(np.ascontiguousarray(candidates, dtype=np.float32))
    kept = []
    for label in range(said.shape[1] - 6):
        scores = said[:, 6 + label]
        some = torch.nonzero(scores >= LEAST)[:, 0]
        order = some[torch.argsort(scores[some], descending=True, stable=True)][:CONSIDERED]
        chosen = order[_greedy(said[order, :6], limit)][:KEPT]
        kept += [(label, float(scores[place]), said[place, :6].numpy()) for place in chosen.tolist()]
    kept.sort(key=lambda one: -one[1])
    return Said(
        corners=np.array([one[2] for one in kept], np.float64).reshape(-1, 6),
        labels=np.array([one[0] for one in kept], np.intp),
        scores=np.array([one[1] for one in kept], np.float64),
    )


def _greedy(boxes: torch.Tensor, limit: float) -> torch.Tensor:
    """Places of the boxes (N, 6), the surest first, that no kept one before them overlaps."""
    over = (iou(boxes[:, None], boxes[None]) > limit).numpy()
    gone = np.zeros(len(boxes), bool)
    kept = []
    for place in range(len(boxes)):
        if not gone[place]:
            kept.append(place)
            gone |= over[place]
    return torch.tensor(kept, dtype=torch.long)
