"""Soft Dice plus cross-entropy of a mask: of labels that exclude each other, or of regions that may overlap.

As in nnU-Net (arXiv:1904.08128), with the Dice term written as 1 - Dice so that the lowest loss is 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from diascope.core.errors import BadUsage
from diascope.losses import Loss, LossKind
from diascope.losses.terms.targets import check, class_weights, shares

SMOOTH = 1.0
"""Voxels added to both sides of the Dice, so that leaving an absent structure empty scores 1 and has a gradient."""
SPACE = (2, 3, 4)


class DiceCrossEntropy:
    """`regions`: sigmoid for each channel; otherwise softmax, and the background (channel 0) has no Dice term.

    Options: `regions`, `ignore` (voxel value that is left out), `batch_dice` (one Dice over the whole batch),
    `class_weights` (of the cross-entropy), `label_smoothing` (of the cross-entropy).
    """

    kind: LossKind = "mask"

    def __call__(self, logits: Tensor, target: Tensor, options: Mapping[str, Any]) -> Tensor:
        check(options)
        regions = bool(options.get("regions", False))
        if regions and target.dim() != logits.dim():
            raise BadUsage("a loss of regions needs a target (B, K, Z, Y, X)", given=tuple(target.shape))
        with torch.autocast(logits.device.type, enabled=False):
            logits = logits.float()
            known, target = _split_ignored(target, options.get("ignore"), stacked=target.dim() == logits.dim())
            wanted = target.float() if target.dim() == logits.dim() else shares(target, logits.shape[1])
            if regions:
                entropy, chances = _of_regions(logits, wanted, known, options)
                return entropy + _dice_loss(chances, wanted, known, options)
            entropy, chances = _of_labels(logits, wanted, known, options)
            if logits.shape[1] == 1:
                return entropy
            return entropy + _dice_loss(chances[:, 1:], wanted[:, 1:], known, options)


def _split_ignored(target: Tensor, ignore: int | None, stacked: bool) -> tuple[Tensor | None, Tensor]:
    """Which voxels count (B, 1, Z, Y, X), None for all, and the target with 0 where they do not."""
    if ignore is None:
        return None, target
    left_out = target == ignore
    if stacked:
        left_out = left_out.any(dim=1, keepdim=True)
        return (~left_out).float(), target.masked_fill(left_out, 0)
    return (~left_out).float().unsqueeze(1), target.masked_fill(left_out, 0)


def _of_labels(
    logits: Tensor, wanted: Tensor, known: Tensor | None, options: Mapping[str, Any]
) -> tuple[Tensor, Tensor]:
    smoothing = float(options.get("label_smoothing", 0.0))
    logs = logits.log_softmax(dim=1)
    share = wanted * (1 - smoothing) + smoothing / logits.shape[1] if smoothing else wanted
    weights = class_weights(options, logits)
    share = share if weights is None else share * weights
    share = share if known is None else share * known
    return -(share * logs).sum() / share.sum().clamp_min(1e-6), logs.exp()


def _of_regions(
    logits: Tensor, wanted: Tensor, known: Tensor | None, options: Mapping[str, Any]
) -> tuple[Tensor, Tensor]:
    smoothing = float(options.get("label_smoothing", 0.0))
    share = wanted * (1 - smoothing) + smoothing / 2 if smoothing else wanted
    entropy = functional.binary_cross_entropy_with_logits(logits, share, reduction="none")
    counted = torch.ones_like(entropy) if known is None else known.expand_as(entropy)
    weights = class_weights(options, logits)
    counted = counted if weights is None else counted * weights
    return (entropy * counted).sum() / counted.sum().clamp_min(1e-6), logits.sigmoid()


def _dice_loss(chances: Tensor, wanted: Tensor, known: Tensor | None, options: Mapping[str, Any]) -> Tensor:
    over = (0, *SPACE) if options.get("batch_dice", False) else SPACE
    if known is not None:
        chances, wanted = chances * known, wanted * known
    both = (chances * wanted).sum(dim=over)
    either = chances.sum(dim=over) + wanted.sum(dim=over)
    return 1 - ((2 * both + SMOOTH) / (either + SMOOTH)).mean()


LOSS: Loss = DiceCrossEntropy()
