"""Mean absolute error of an image, perhaps with that of its gradients, so that edges stay sharp (Mathieu 2016)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from diascope.losses import Loss, LossKind
from diascope.losses.terms.targets import check


class L1:
    """Mean over voxels; option `gradient` is the weight of the same of differences between neighbours (0)."""

    kind: LossKind = "image"

    def __call__(self, logits: Tensor, target: Tensor, options: Mapping[str, Any]) -> Tensor:
        check(options)
        with torch.autocast(logits.device.type, enabled=False):
            wrong = logits.float()[:, 0] - target.float()
            loss = wrong.abs().mean()
            weight = float(options.get("gradient", 0.0))
            axes = [axis for axis in (1, 2, 3) if weight and wrong.shape[axis] > 1]
            for axis in axes:
                loss = loss + weight / len(axes) * wrong.diff(dim=axis).abs().mean()
            return loss


LOSS: Loss = L1()
