"""Grad-CAM in two and three dimensions: feature maps weighted by the gradient of the answer (Selvaraju 2017)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from diascope.explainers import Explainer
from diascope.explainers.maps.feature_maps import as_places, last_maps, placed


class GradCam:
    """Grad-CAM on the last feature maps that the answer depends on and that still have places."""

    title = "Grad-CAM"

    def explain(self, network: nn.Module, images: Tensor, output: int) -> npt.NDArray[np.float32]:
        """Maps (B, Z, Y, X) in 0..1.

        Raises:
            DiascopeError: When the network has no feature maps with places (a transformer, a table model).
        """
        features, gradient = last_maps(network, images, output, self.title)
        cells = (gradient.mean(dim=as_places(features), keepdim=True) * features).sum(dim=1)
        return placed(cells, images)


EXPLAINER: Explainer = GradCam()
