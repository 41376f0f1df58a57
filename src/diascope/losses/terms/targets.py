"""Options of losses, and targets as soft shares of each class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from diascope.core.errors import BadUsage, UnknownName

OPTIONS = frozenset(
    {"class_weights", "positive_weights", "label_smoothing", "ignore", "regions", "batch_dice", "gamma", "gradient"}
)
"""Every option that a plan can give to a loss; each loss reads those that it knows a meaning for."""


def check(options: Mapping[str, Any]) -> None:
    """Refuse an option that no loss knows.

    Raises:
        UnknownName: Naming the closest.
    """
    for name in options:
        if name not in OPTIONS:
            raise UnknownName("option of a loss", name, OPTIONS)


def shares(target: Tensor, classes: int) -> Tensor:
    """The share of each class, (B, K, ...) float32, of labels (B, ...) or of what are shares already."""
    if target.is_floating_point():
        return target.float()
    found = torch.zeros((target.shape[0], classes, *target.shape[1:]), device=target.device)
    return found.scatter_(1, target.long().unsqueeze(1), 1.0)


def class_weights(options: Mapping[str, Any], logits: Tensor) -> Tensor | None:
    """The weights as (1, K, 1, ...) on the device of the logits, or None.

    Raises:
        BadUsage: When there is not one positive weight a class.
    """
    return weights_of("class_weights", options, logits)


def weights_of(option: str, options: Mapping[str, Any], logits: Tensor) -> Tensor | None:
    """One weight a channel of the logits (B, K, ...), as (1, K, 1, ...) on their device, or None.

    Raises:
        BadUsage: When there is not one positive weight a channel.
    """
    given = options.get(option)
    if given is None:
        return None
    if len(given) != logits.shape[1] or min(given) <= 0:
        raise BadUsage(
            f"{option} must be {logits.shape[1]} positive numbers", given=list(given), todo="Give one for each"
        )
    weights = torch.tensor(given, dtype=torch.float32, device=logits.device)
    return weights.view(1, -1, *[1] * (logits.dim() - 2))
