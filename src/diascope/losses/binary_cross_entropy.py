"""Binary cross-entropy of several labels, each present or absent; where nothing is known a label does not count."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from diascope.losses import Loss, LossKind
from diascope.losses.terms.targets import check, weights_of


class BinaryCrossEntropy:
    """Weighted mean over the labels that are known; the weights sum to one, so that they do not change its size.

    Options: `positive_weights` (one a label: how much more a present one counts than an absent one),
    `label_smoothing`.
    """

    kind: LossKind = "labels"

    def __call__(self, logits: Tensor, target: Tensor, options: Mapping[str, Any]) -> Tensor:
        check(options)
        with torch.autocast(logits.device.type, enabled=False):
            logits, target = logits.float(), target.float()
            known = torch.isfinite(target)
            wanted = target.nan_to_num()
            weights = weights_of("positive_weights", options, logits)
            counted = known.float() if weights is None else known * (1 + wanted * (weights - 1))
            smoothing = float(options.get("label_smoothing", 0.0))
            wanted = wanted * (1 - smoothing) + smoothing / 2
            loss = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
            return (loss * counted).sum() / counted.sum().clamp_min(1e-6)


LOSS: Loss = BinaryCrossEntropy()
