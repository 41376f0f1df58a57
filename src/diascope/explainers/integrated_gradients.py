"""Integrated gradients (Sundararajan 2017), by Captum: of pictures, volumes, and signals sample by sample."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from diascope.explainers import Explainer
from diascope.explainers.attributions import captum_attr, is_installed
from diascope.explainers.maps import answer, finished, in_eval

STEPS = 24
"""Points on the straight way from the mean of the image to the image (Gauss-Legendre)."""


class IntegratedGradients:
    """What each voxel adds to the answer on the way from an empty image, its own mean, to what it is.

    Finer than feature maps, and noisier. It needs gradients all the way to the input.
    """

    title = "Integrated gradients"

    def is_available(self) -> bool:
        """Whether Captum is installed."""
        return is_installed()

    def explain(self, network: nn.Module, images: Tensor, output: int) -> npt.NDArray[np.float32]:
        """Maps (B, Z, Y, X) in 0..1.

        Raises:
            MissingPackage: When Captum is not installed.
        """
        attribute: Any = captum_attr("the explainer integrated_gradients").IntegratedGradients
        z, y, x = images.shape[2:]
        with torch.inference_mode(False), torch.enable_grad(), in_eval(network):
            own = images.detach().clone()
            baseline = own.mean(dim=(2, 3, 4), keepdim=True).expand_as(own)
            answer(network, own[:1], output)  # an output that does not exist is refused in our words
            method = attribute(lambda some: answer(network, some, output))
            found: Tensor = method.attribute(own, baseline, n_steps=STEPS, internal_batch_size=len(own))
        return finished(found.detach().sum(dim=1), (z, y, x))


EXPLAINER: Explainer = IntegratedGradients()
