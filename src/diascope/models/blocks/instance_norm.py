"""Instance normalisation followed by a leaky ReLU."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

SLOPE = 0.01
"""Of the leaky ReLU, as in nnU-Net."""


class InstanceNorm(nn.Module):
    """Instance normalisation with weight and bias, and the leaky ReLU after it.

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
        x = torch.instance_norm(x, self.weight, self.bias, None, None, True, 0.0, self.epsilon, False)
        return functional.leaky_relu(x, SLOPE) if self.activated else x
