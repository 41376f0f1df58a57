"""What a network costs, found by running it on the meta device: shapes only, no arithmetic, no memory."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from diascope.models import Cost, InputSpec

BACKWARD = 3.0
"""Forward and backward over forward: the backward pass has one product for the input and one for the weights."""


def estimate(build: Callable[[], nn.Module], spec: InputSpec) -> Cost:
    """Parameters, arithmetic, and what autograd keeps for the backward pass of one example in float32.

    Args:
        build: Makes the module.
        spec: Channels and (Z, Y, X) of the example; with one dimension its last number is the length.
    """
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept.setdefault(tensor.untyped_storage()._cdata, tensor)
        return tensor

    with torch.device("meta"):
        module = build().train()
        # Two examples, because a batch normalisation refuses to learn from one value a channel.
        examples = _examples(spec)
    parameters = sum(parameter.numel() for parameter in module.parameters())
    weights = {parameter.untyped_storage()._cdata for parameter in module.parameters()}
    with FlopCounterMode(display=False) as counter, saved_tensors_hooks(keep, lambda tensor: tensor):
        module(examples)
    activations = sum(tensor.untyped_storage().nbytes() for key, tensor in kept.items() if key not in weights)
    gflop = BACKWARD * counter.get_total_flops() / 2e9
    return Cost(parameters=parameters, gflop=gflop, activation_bytes=activations // 2)


def _examples(spec: InputSpec) -> Tensor:
    if spec.kind == "text":
        return torch.zeros((2, spec.shape[2]), dtype=torch.int32)
    return torch.empty(2, spec.channels, *(spec.shape[2:] if spec.dimensions == 1 else spec.shape))
