"""The last feature maps of a network that still have places, and the gradient of an answer there."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from diascope.core.errors import DiascopeError
from diascope.explainers.maps import answer, finished, in_eval

ENOUGH_CELLS = 4
"""A map of fewer cells along its longest axis cannot say where; an earlier one is taken where there is one."""


def last_maps(network: nn.Module, images: Tensor, output: int, title: str) -> tuple[Tensor, Tensor]:
    """The last feature maps that the answer depends on and that still have places, and the gradient there.

    The network is not asked for its layers: every module's output is watched, which finds the maps before the pooling
    in any convolutional encoder.

    Args:
        network: As for `Explainer.explain`.
        images: (B, C, Z, Y, X).
        output: Number of the output.
        title: Of the explainer that needs them, for the error.

    Returns:
        Two tensors (B, K, ...) float32 with two or three axes of places.

    Raises:
        DiascopeError: When the network has no feature maps with places (a transformer, a table model).
    """
    seen: list[Tensor] = []

    def watch(module: nn.Module, inputs: Any, given: Any) -> None:
        if isinstance(given, Tensor) and given.ndim in (4, 5) and max(given.shape[2:]) > 1:
            seen.append(given)

    hooks = [module.register_forward_hook(watch) for module in network.modules()]
    try:
        # The gradient is needed whatever the caller has switched off, also of a network with frozen weights.
        with torch.inference_mode(False), torch.enable_grad(), in_eval(network):
            said = answer(network, images.detach().clone().requires_grad_(), output)
            features, gradient = _last(seen, said, title)
    finally:
        for hook in hooks:
            hook.remove()
    return features.float(), gradient.float()


def as_places(features: Tensor) -> tuple[int, ...]:
    """The axes of feature maps that are places."""
    return tuple(range(2, features.ndim))


def placed(cells: Tensor, images: Tensor) -> npt.NDArray[np.float32]:
    """Maps (B, Z, Y, X) in 0..1 of the size of `images`, from weighed feature maps (B, ...).

    A network of two dimensions that reads a volume has maps for each slice.
    """
    z, y, x = images.shape[2:]
    return finished(cells.reshape(len(images), -1, *cells.shape[-2:]), (z, y, x))


def _last(seen: list[Tensor], said: Tensor, title: str) -> tuple[Tensor, Tensor]:
    """The last maps of enough cells that the answer depends on, and the gradient there; else the last of any size."""
    fine = [features for features in seen if max(features.shape[2:]) >= ENOUGH_CELLS]
    for features in [*reversed(fine), *reversed(seen)]:
        # Each answer depends on its own image only, so the gradient of the sum holds the gradient of each.
        (gradient,) = torch.autograd.grad(said.sum(), features, retain_graph=True, allow_unused=True)
        if gradient is not None:
            return features.detach(), gradient
    raise DiascopeError(
        f"{title} found no feature maps with places in this network",
        given=f"{len(seen)} outputs of four or five dimensions",
        todo="Explain it with 'occlusion', which needs no feature maps",
    )
