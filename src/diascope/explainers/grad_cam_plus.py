"""Grad-CAM++ in two and three dimensions: several places of one finding count each (Chattopadhay 2018)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from diascope.explainers import Explainer
from diascope.explainers.maps.feature_maps import as_places, last_maps, placed


class GradCamPlus:
    """Feature maps weighed by the positive gradients of the answer, each place by how much it matters there.

    With the exponential of the answer as the score, as in the paper, its second and third derivatives are powers of the
    first (equation 19), and the exponential itself is a factor that all weights share: it is left out.
    """

    title = "Grad-CAM++"

    def explain(self, network: nn.Module, images: Tensor, output: int) -> npt.NDArray[np.float32]:
        """Maps (B, Z, Y, X) in 0..1.

        Raises:
            DiascopeError: When the network has no feature maps with places (a transformer, a table model).
        """
        features, gradient = last_maps(network, images, output, self.title)
        places = as_places(features)
        # Gradients of pooled maps are small: their cubes would vanish, and a common factor changes no map.
        largest = gradient.abs().amax(dim=(1, *places), keepdim=True)
        steep = gradient / largest.where(largest > 0, largest.new_ones(()))
        # The paper's maps follow a ReLU; a sum that other maps make negative would divide by nearly nothing.
        sums = features.clamp(min=0).sum(dim=places, keepdim=True)
        below = 2 * steep**2 + largest * sums * steep**3
        shares = steep**2 / below.where(below != 0, below.new_ones(()))
        weights = (shares * steep.clamp(min=0)).sum(dim=places, keepdim=True)
        return placed((weights * features).sum(dim=1), images)


EXPLAINER: Explainer = GradCamPlus()
