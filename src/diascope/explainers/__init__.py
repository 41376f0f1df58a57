"""Explainers: each module makes a map of what in an input led to an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:  # whoever only asks what an explainer takes needs no torch
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
        depend on the others in the batch. Of texts (B, L) code points are given, of rows of tables (B, D) numbers with
        nan for missing, and (B, L) or (B, D) in -1..1 come back: what speaks against the output is negative.

        Raises:
            MissingPackage: When it needs one that is not installed; `is_available` then says so before.
        """
        ...


def kind_taken(plugin: object) -> str:
    """The kind of input that an explainer is for: its attribute `takes`, which those of images need not have."""
    return str(getattr(plugin, "takes", "image"))


def is_available(plugin: object) -> bool:
    """Whether an explainer can be used here; those that need no package of their own need not have the method."""
    asked = getattr(plugin, "is_available", None)
    return True if asked is None else bool(asked())
