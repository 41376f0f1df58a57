"""Cross-entropy of a category, with class weights, label smoothing and soft targets (mixup)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from diascope.losses import Loss, LossKind
from diascope.losses.terms.targets import check, class_weights, shares


class CrossEntropy:
    """Weighted mean over the batch; the weights sum to one, so that they do not change the size of the loss."""

    kind: LossKind = "category"

    def __call__(self, logits: Tensor, target: Tensor, options: Mapping[str, Any]) -> Tensor:
        check(options)
        with torch.autocast(logits.device.type, enabled=False):
            logits = logits.float()
            classes = logits.shape[1]
            smoothing = float(options.get("label_smoothing", 0.0))
            wanted = shares(target, classes) * (1 - smoothing) + smoothing / classes
            weights = class_weights(options, logits)
            wanted = wanted if weights is None else wanted * weights
            return -(wanted * logits.log_softmax(dim=1)).sum() / wanted.sum()


LOSS: Loss = CrossEntropy()
