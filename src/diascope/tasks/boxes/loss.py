"""The loss of boxes: quality focal loss of the scores (arXiv:2006.04388), generalised overlap of the boxes."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from diascope.engine.batch import Batch
from diascope.tasks.boxes.assignment import assigned
from diascope.tasks.boxes.network import positions
from diascope.tasks.boxes.overlap import giou

BOXES = 2.0
"""Weight of the boxes beside the scores."""
FOCUS = 2.0
"""Power of how far a score is off: the many easy positions without anything count little."""


def box_loss(network: nn.Module, batch: Batch) -> Tensor:
    """A scalar from the `image` and the `boxes` (B, M, 8) of a batch."""
    image, truth = batch.inputs["image"], batch.target["boxes"].float()
    logits, boxes = network.said(image)  # type: ignore[operator]
    z, y, x = image.shape[2:]
    places = positions((z, y, x), network.strides, image.device)  # type: ignore[arg-type]
    taught = assigned((logits, boxes), places, truth)
    total = taught.weight.sum().clamp(min=1.0)
    off = (taught.scores - logits.sigmoid()).abs() ** FOCUS
    scores = functional.binary_cross_entropy_with_logits(logits, taught.scores, reduction="none") * off
    of_scores = (scores.sum(dim=-1) * taught.counted).sum() / total
    some = taught.weight > 0
    of_boxes = ((1 - giou(boxes[some], taught.boxes[some])) * taught.weight[some]).sum() / total
    total_loss: Tensor = of_scores + BOXES * of_boxes
    return total_loss
