"""Huber's loss of a standardised number: squared near the truth, linear beyond one standard deviation (Huber 1964)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from diascope.losses import Loss, LossKind
from diascope.losses.terms.targets import check


class Huber:
    """Mean over the batch: one outlier pulls no harder than its sign."""

    kind: LossKind = "number"

    def __call__(self, logits: Tensor, target: Tensor, options: Mapping[str, Any]) -> Tensor:
        check(options)
        with torch.autocast(logits.device.type, enabled=False):
            return nn.functional.huber_loss(logits.float()[:, 0], target.float())


LOSS: Loss = Huber()
