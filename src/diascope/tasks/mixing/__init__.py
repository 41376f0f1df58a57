"""Mixup: pairs of pictures and of their targets are mixed (Zhang 2018)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from diascope.core.plan import Plan
from diascope.engine.batch import Batch
from diascope.engine.feeding import generator

MIXING = 5
"""Key of what mixup draws: `engine/feeding.py` uses those below."""


def with_mixup(network: nn.Module, batch: Batch, target: Tensor, plan: Plan) -> tuple[dict[str, Tensor], Tensor]:
    """Inputs and target as the network learns them: mixed in training, where the plan says so and there are pictures.

    Args:
        network: In training or not.
        batch: Its inputs.
        target: (B, K) shares of each class, or presences; what is nan in one of a pair is nan in both.
        plan: `mixup` is the parameter of the beta distribution; 0 mixes nothing.
    """
    inputs = dict(batch.inputs)
    if not mixes(network, batch, plan):
        return inputs, target
    share = float(generator(plan.seed, MIXING, batch.step).beta(plan["mixup"], plan["mixup"]))
    return {name: _mixed(value, share) for name, value in inputs.items()}, _mixed(target, share)


def mixes(network: nn.Module, batch: Batch, plan: Plan) -> bool:
    """Whether pairs of this batch are mixed."""
    pictures = batch.inputs.get("image")
    return bool(plan["mixup"] > 0 and network.training and pictures is not None and len(pictures) > 1)


def _mixed(values: Tensor, share: float) -> Tensor:
    """Each row mixed with its neighbour in its pair (0 and 1, 2 and 3, ...); an odd last row stays as it is.

    A process that holds an even slice of the batch makes the pairs that one process with the whole batch would make.
    """
    whole = len(values) // 2 * 2
    pairs = values[:whole].reshape(-1, 2, *values.shape[1:])
    return torch.cat([(share * pairs + (1 - share) * pairs.flip(1)).flatten(0, 1), values[whole:]])
