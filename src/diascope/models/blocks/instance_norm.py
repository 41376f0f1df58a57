"""Instance normalisation followed by a leaky ReLU, by whichever kernel is the fastest where it runs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

SLOPE = 0.01
"""Of the leaky ReLU, as in nnU-Net."""
KERNELS = torch.ops.aten
LAST = {4: torch.channels_last, 5: torch.channels_last_3d}


class InstanceNorm(nn.Module):
    """Instance normalisation with weight and bias, and the leaky ReLU after it.

    Three ways compute the same numbers up to rounding, because PyTorch's own copies images with channels last to
    contiguous ones and back, a third of a U-Net's step. Compiled, a group normalisation of single channels fuses with
    what surrounds it. Eager with channels last, each example is normalised as a batch of one, whose kernel knows that
    layout. In exported files, the format's own operator is kept.

    Args:
        channels: C.
        activated: Whether the leaky ReLU follows; False before the sum of a residual block.
        epsilon: Added to the variance.
    """

    def __init__(self, channels: int, activated: bool = True, epsilon: float = 1e-5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.activated, self.epsilon = activated, epsilon

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, ...) to the same shape."""
        exported = torch.compiler.is_exporting() or torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
        if torch.compiler.is_compiling() and not exported:
            x = torch.group_norm(x, x.shape[1], self.weight, self.bias, self.epsilon)
        elif not exported and _is_channels_last(x):
            slope = SLOPE if self.activated else 1.0
            y: Tensor = ExampleByExample.apply(x, self.weight, self.bias, self.epsilon, slope)  # type: ignore[no-untyped-call]
            return y
        else:
            x = torch.instance_norm(x, self.weight, self.bias, None, None, True, 0.0, self.epsilon, False)
        return functional.leaky_relu(x, SLOPE) if self.activated else x


class ExampleByExample(torch.autograd.Function):
    """Normalisation and leaky ReLU of one example at a time, so that each stays in the cache between the two.

    The ReLU is done in place and its output is what the backward pass needs, so that one tensor less is kept.
    Statistics have the precision of the weights: float32, also for bf16 images.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, epsilon: float, slope: float) -> Tensor:
        """(B, C, ...) with channels last, to the same shape and layout; a `slope` of 1 is no activation."""
        out = torch.empty_like(x)
        means, scales = (torch.empty(x.shape[:2], dtype=weight.dtype, device=x.device) for _ in range(2))
        for one, y, mean, scale in zip(torch.split(x, 1), torch.split(out, 1), means, scales, strict=True):
            KERNELS.native_batch_norm.out(
                one, weight, bias, None, None, True, 0.0, epsilon, out=y, save_mean=mean, save_invstd=scale
            )
            if slope != 1:
                KERNELS.leaky_relu_(y, slope)
        ctx.save_for_backward(x, weight, out if slope != 1 else None, means, scales)
        ctx.epsilon, ctx.slope = epsilon, slope
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of image, weight and bias."""
        x, weight, out, means, scales = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=LAST[x.dim()])
        of_x, of_weight, of_bias = torch.empty_like(x), torch.zeros_like(weight), torch.zeros_like(weight)
        for i in range(len(x)):
            one = gradient[i : i + 1]
            if out is not None:
                one = KERNELS.leaky_relu_backward(one, out[i : i + 1], ctx.slope, True)
            parts = KERNELS.native_batch_norm_backward(
                one, x[i : i + 1], weight, None, None, means[i], scales[i], True, ctx.epsilon, [True, True, True]
            )
            of_x[i : i + 1] = parts[0]
            of_weight += parts[1]
            of_bias += parts[2]
        return of_x, of_weight, of_bias, None, None


def _is_channels_last(x: Tensor) -> bool:
    """Whether the example-by-example kernel is meant for this image: on a CPU, and not contiguous as well."""
    if x.device.type == "meta":
        # Convolutions on this device do not tell layouts; estimates suppose the layout that plans train with.
        return True
    return x.device.type == "cpu" and not x.is_contiguous() and x.is_contiguous(memory_format=LAST[x.dim()])
