"""Negative log-likelihood of discrete hazards, of cases some of which were not followed until their event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from diascope.losses import Loss, LossKind
from diascope.losses.terms.targets import check


class Hazards:
    """Mean over the batch (Gensheimer and Narasimhan 2019).

    The logit of interval k is the chance of the event in it, for those who came to it. A case counts in each interval
    that it lived through, and in that of its event.
    """

    kind: LossKind = "hazards"

    def __call__(self, logits: Tensor, target: Tensor, options: Mapping[str, Any]) -> Tensor:
        check(options)
        with torch.autocast(logits.device.type, enabled=False):
            known = torch.isfinite(target)
            loss = nn.functional.binary_cross_entropy_with_logits(
                logits.float(), torch.nan_to_num(target.float()), reduction="none"
            )
            return (loss * known).sum() / len(logits)


LOSS: Loss = Hazards()
