"""Focal loss of a category: easy cases count less (arXiv:1708.02002)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from diascope.losses import Loss, LossKind
from diascope.losses.terms.targets import check, class_weights, shares


class Focal:
    """Cross-entropy times `(1 - p) ** gamma`; `gamma` is 2 unless the options say otherwise."""

    kind: LossKind = "category"

    def __call__(self, logits: Tensor, target: Tensor, options: Mapping[str, Any]) -> Tensor:
        check(options)
        with torch.autocast(logits.device.type, enabled=False):
            logs = logits.float().log_softmax(dim=1)
            wanted = shares(target, logits.shape[1])
            weights = class_weights(options, logits)
            wanted = wanted if weights is None else wanted * weights
            # Away from 0, where a power below 1 has no finite derivative.
            hard = (1 - logs.exp()).clamp_min(1e-6) ** float(options.get("gamma", 2.0))
            return -(wanted * hard * logs).sum() / wanted.sum()


LOSS: Loss = Focal()
