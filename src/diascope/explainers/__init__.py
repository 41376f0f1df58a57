"""Explainers: each module makes a map of what in an input led to an answer."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn


class Explainer(Protocol):
    """What a file in this folder provides as `EXPLAINER`."""

    @property
    def title(self) -> str:
        """Name for people. One that explains something other than images says so in `takes` (see `kind_taken`)."""
        ...

    def explain(self, network: nn.Module, images: Tensor, output: int) -> npt.NDArray[np.float32]:
        """Maps (B, Z, Y, X) in 0..1 of the size of `images` (B, C, Z, Y, X), for output number `output`.

        `network(inputs: dict[str, Tensor]) -> (B, K)` is called with `{"image": images}`; the map of one image does not
        depend on the others in the batch. Of texts (B, L) code points are given, and (B, L) in -1..1 come back: what
        speaks against the output is negative.
        """
        ...


def kind_taken(plugin: object) -> str:
    """The kind of input that an explainer is for: its attribute `takes`, which those of images need not have."""
    return str(getattr(plugin, "takes", "image"))
