"""The boxes around the connected parts of a mask."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy import ndimage

from diascope.core.boxes import Boxes
from diascope.core.geometry import Geometry
from diascope.core.image import Image

TOUCHING = np.ones((3, 3, 3), bool)
"""Voxels that share a face, an edge or a corner belong together."""
NEAR = 0.1
"""Of a voxel: affines are written as float32."""


def boxes_of_mask(
    mask: Image, labels: Mapping[int, str], geometry: Geometry, shape: tuple[int, int, int]
) -> Boxes | None:
    """A box around each connected part of each value.

    Args:
        mask: (1, Z, Y, X).
        labels: Value to the name of its label; other values are background.
        geometry: Of the image.
        shape: (Z, Y, X) of the image.

    Returns:
        In voxels of the image; None where the mask lies on another grid, and millimetres do not say where that is.
    """
    found: list[tuple[list[float], str]] = []
    array = mask.array[0]
    for value, name in labels.items():
        parts, _ = ndimage.label(array == value, structure=TOUCHING)
        for place in ndimage.find_objects(parts):
            corners = [float(one.start) for one in place] + [float(one.stop) for one in place]
            found.append((corners, name))
    boxes = Boxes.of(np.array([corners for corners, _ in found]), [name for _, name in found])
    known = mask.geometry.physical and geometry.physical
    if known and not mask.geometry.is_close(geometry, NEAR * min(geometry.steps)):
        return boxes.moved(mask.geometry.index_map(geometry))
    return boxes if mask.shape == shape else None
