"""Back ends: each module runs a trained network one way (torch, OpenVINO, ONNX Runtime) behind one call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from torch import Tensor, nn

Runner = Callable[[Tensor], Tensor]
"""(B, C, Z, Y, X) float32 to the network's output, float32."""


class Backend(Protocol):
    """What a file in this folder provides as `BACKEND`."""

    def is_available(self) -> bool:
        """Whether its packages are installed and this machine can run it."""
        ...

    def compile(self, network: nn.Module, example: Tensor, precision: str) -> Runner:
        """Make a runner for inputs of the shape of `example`.

        Args:
            network: In `eval()`, maps (B, C, Z, Y, X) to one tensor.
            example: A batch of the shape that will be used.
            precision: `fp32` or `bf16`.
        """
        ...
