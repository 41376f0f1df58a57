"""Processes that share each batch: norms over the whole of it, and what all processes agree on."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed
from lightning_fabric import Fabric
from torch import Tensor, nn

Norm = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d


def mean_of(fabric: Fabric, value: Tensor) -> float:
    """Mean of a scalar over all processes; not finite where it is not finite in any."""
    if fabric.world_size == 1:
        return float(value)
    return float(fabric.all_reduce(value.clone().float(), reduce_op="mean"))  # type: ignore[arg-type]


def any_of(fabric: Fabric, value: bool) -> bool:
    """Whether it holds in any process."""
    return value if fabric.world_size == 1 else mean_of(fabric, torch.tensor(float(value))) > 0


def joined(fabric: Fabric, names: list[str]) -> list[str]:
    """The names of all processes, in the order of the processes."""
    if fabric.world_size == 1:
        return names
    found: list[list[str]] = [[] for _ in range(fabric.world_size)]
    torch.distributed.all_gather_object(found, names)
    return [name for some in found for name in some]


def share_norms(module: nn.Module) -> None:
    """Replace every batch norm by one over all processes; parameters, buffers and their names stay.

    torch's own `SyncBatchNorm` does the same but refuses the CPU.
    """
    for name, child in module.named_children():
        if isinstance(child, Norm):
            shared = SharedBatchNorm(child.num_features, child.eps, child.momentum or 0.1)
            shared.weight, shared.bias = child.weight, child.bias
            shared.running_mean, shared.running_var = child.running_mean, child.running_var
            shared.num_batches_tracked = child.num_batches_tracked
            setattr(module, name, shared.train(child.training))
        else:
            share_norms(child)


class SharedBatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch norm with the mean and variance of the whole batch, of which each process holds an equal part."""

    def _check_input_dim(self, input: Tensor) -> None:
        """Any number of axes."""

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, ...) to the same shape."""
        if not self.training:
            return super().forward(input)
        x = input.float()
        world = torch.distributed.get_world_size()
        axes = [0, *range(2, x.ndim)]
        shape = [1, -1, *[1] * (x.ndim - 2)]
        mean = _summed(x.mean(axes)) / world
        centred = x - mean.view(shape)
        variance = _summed(centred.square().mean(axes)) / world
        self._remember(mean.detach(), variance.detach(), world * x.numel() // x.shape[1])
        normal = centred * (variance + self.eps).rsqrt().view(shape)
        scaled: Tensor = normal * self.weight.view(shape) + self.bias.view(shape)
        return scaled.to(input.dtype)

    def _remember(self, mean: Tensor, variance: Tensor, count: int) -> None:
        share = 0.1 if self.momentum is None else self.momentum
        with torch.no_grad():
            self.running_mean.lerp_(mean, share)  # type: ignore[union-attr]
            self.running_var.lerp_(variance * count / max(1, count - 1), share)  # type: ignore[union-attr]
            self.num_batches_tracked.add_(1)  # type: ignore[union-attr]


class _Sum(torch.autograd.Function):
    """Sum over all processes; the gradient of what each made of it is summed as well."""

    @staticmethod
    def forward(context: Any, value: Tensor) -> Tensor:
        total = value.clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        torch.distributed.all_reduce(total)
        return total


def _summed(value: Tensor) -> Tensor:
    total: Tensor = _Sum.apply(value)  # type: ignore[no-untyped-call]
    return total
