"""Transforms: each module changes images (and the masks that lie on them) in one way. Torch begins here.

Two scopes. `case`: preprocessing of one image, deterministic, always applied (an `ImageFilter` only where a plan names
it). `batch`: augmentation of a whole batch in
torch; the random draw is apart from its application, so that it can be remembered and replayed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from torch import Tensor

from diascope.core.geometry import Geometry

Params = Mapping[str, Any]


class CaseTransform(Protocol):
    """What a preprocessing file provides as `TRANSFORM`."""

    scope: Literal["case"]

    def apply(self, volume: Tensor, geometry: Geometry, params: Params, is_mask: bool) -> tuple[Tensor, Geometry]:
        """Change one volume.

        Args:
            volume: (C, Z, Y, X), float32; masks are integers.
            geometry: Where its voxels are.
            params: From the plan.
            is_mask: Masks keep their values (nearest neighbour) and are not changed in intensity.

        Returns:
            The new volume and its geometry.
        """
        ...


@runtime_checkable
class ImageFilter(Protocol):
    """What a filter's file provides as `TRANSFORM`: a `CaseTransform` that a plan may name in `preprocess`.

    It keeps the grid and leaves masks alone. It sees each image in the one order of axes, on the grid of its file.
    """

    scope: Literal["case"]
    when: Literal["before", "after"]
    """`before` the intensity rule, in units of the image; `after` it, in what the network reads."""
    modalities: frozenset[str] | None
    """Kinds of image that it is meant for; None: any."""

    def apply(self, volume: Tensor, geometry: Geometry, params: Params, is_mask: bool) -> tuple[Tensor, Geometry]:
        """As `CaseTransform.apply`; `params` are those of `settled`."""
        ...

    def settled(self, given: Params) -> dict[str, Any]:
        """All parameters (JSON types): those given, checked, and the defaults of the others.

        Raises:
            UnknownName: When it has no such parameter.
            BadUsage: When a value is out of its range; says what it takes.
        """
        ...

    def words(self, params: Params) -> str:
        """What is done, with numbers and units, in one line."""
        ...


class BatchTransform(Protocol):
    """What an augmentation file provides as `TRANSFORM`."""

    scope: Literal["batch"]
    spatial: bool
    """Whether it moves voxels: masks move along, and points where it is a `SpatialTransform`."""

    def draw(self, rng: np.random.Generator, count: int, shape: tuple[int, int, int], params: Params) -> Params:
        """Draw what will be done to each of `count` examples of (Z, Y, X) `shape`: plain arrays, one row an example."""
        ...

    def apply(self, images: Tensor, masks: Tensor | None, drawn: Params) -> tuple[Tensor, Tensor | None]:
        """Apply a draw to images (B, C, Z, Y, X) float32 and masks (B, K, Z, Y, X) integers."""
        ...


@runtime_checkable
class SpatialTransform(BatchTransform, Protocol):
    """An augmentation that moves voxels, and says where points go: what boxes are moved by."""

    def move(
        self, points: npt.NDArray[np.float64], shape: tuple[int, int, int], drawn: Params
    ) -> npt.NDArray[np.float64]:
        """Where points of each example go by a draw.

        Args:
            points: (B, N, 3) as (z, y, x), counted at the faces of voxels: from 0 to the size of the axis.
            shape: (Z, Y, X) of the images.
            drawn: What `apply` was given.

        Returns:
            (B, N, 3); also beyond the images.
        """
        ...


Transform = CaseTransform | BatchTransform
