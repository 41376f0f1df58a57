"""Grad-CAM in two and three dimensions: feature maps weighted by the gradient of the answer (Selvaraju 2017)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from diascope.core.errors import DiascopeError
from diascope.explainers import Explainer
from diascope.explainers.maps import answer, finished, in_eval

_ENOUGH_CELLS = 4
"""A map of fewer cells along its longest axis cannot say where; an earlier one is taken where there is one."""


class GradCam:
    """Grad-CAM on the last feature maps that the answer depends on and that still have places.

    The network is not asked for its layers: every module's output is watched, which finds the maps before the pooling
    in any convolutional encoder.
    """

    title = "Grad-CAM"

    def explain(self, network: nn.Module, images: Tensor, output: int) -> npt.NDArray[np.float32]:
        """Maps (B, Z, Y, X) in 0..1.

        Raises:
            DiascopeError: When the network has no feature maps with places (a transformer, a table model).
        """
        z, y, x = images.shape[2:]
        seen: list[Tensor] = []

        def watch(module: nn.Module, inputs: Any, given: Any) -> None:
            if isinstance(given, Tensor) and given.ndim in (4, 5) and max(given.shape[2:]) > 1:
                seen.append(given)

        hooks = [module.register_forward_hook(watch) for module in network.modules()]
        try:
            # The gradient is needed whatever the caller has switched off, also of a network with frozen weights.
            with torch.inference_mode(False), torch.enable_grad(), in_eval(network):
                said = answer(network, images.detach().clone().requires_grad_(), output)
                features, gradient = _last(seen, said)
        finally:
            for hook in hooks:
                hook.remove()
        places = tuple(range(2, features.ndim))
        cells = (gradient.float().mean(dim=places, keepdim=True) * features.float()).sum(dim=1)
        # A network of two dimensions that reads a volume has maps for each slice.
        maps = cells.reshape(len(images), -1, *cells.shape[-2:])
        return finished(maps, (z, y, x))


def _last(seen: list[Tensor], said: Tensor) -> tuple[Tensor, Tensor]:
    """The last maps of enough cells that the answer depends on, and the gradient there; else the last of any size."""
    fine = [features for features in seen if max(features.shape[2:]) >= _ENOUGH_CELLS]
    for features in [*reversed(fine), *reversed(seen)]:
        # Each answer depends on its own image only, so the gradient of the sum holds the gradient of each.
        (gradient,) = torch.autograd.grad(said.sum(), features, retain_graph=True, allow_unused=True)
        if gradient is not None:
            return features.detach(), gradient
    raise DiascopeError(
        "Grad-CAM found no feature maps with places in this network",
        given=f"{len(seen)} outputs of four or five dimensions",
        todo="Explain it with 'occlusion', which needs no feature maps",
    )


EXPLAINER: Explainer = GradCam()
