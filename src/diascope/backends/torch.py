"""PyTorch itself: float32 is the reference for every other back end; bf16 is autocast with channels last."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from diascope.backends import Runner
from diascope.core.errors import UnknownName

PRECISIONS = ("fp32", "bf16")


class Torch:
    """Runs where the network's parameters are; inputs are moved there and scores back."""

    def is_available(self) -> bool:
        return True

    def compile(self, network: nn.Module, example: Tensor, precision: str) -> Runner:
        if precision not in PRECISIONS:
            raise UnknownName("precision of the back end torch", precision, PRECISIONS)
        device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
        if precision == "fp32":
            return lambda batch: _run(network, batch, device)
        # A copy: the caller's network keeps its layout, and so its arithmetic.
        fast = _channels_last(copy.deepcopy(network).eval())

        def run(batch: Tensor) -> Tensor:
            with torch.autocast(device.type, torch.bfloat16):
                return _run(fast, batch.to(memory_format=torch.channels_last_3d), device)

        return run


def _run(network: nn.Module, batch: Tensor, device: torch.device) -> Tensor:
    with torch.inference_mode():
        scores: Tensor = network(batch.to(device))
        return scores.to(batch.device, torch.float32)


def _channels_last(network: nn.Module) -> nn.Module:
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.to(memory_format=torch.channels_last)
        elif parameter.ndim == 5:
            parameter.data = parameter.data.to(memory_format=torch.channels_last_3d)
    return network


BACKEND = Torch()
