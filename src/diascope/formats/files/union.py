"""Several masks of one image as one: a voxel is marked where any of them marks it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from diascope.core.errors import UnreadableFile
from diascope.core.image import Image

UNION = "union"
"""The item of a `FileRef` whose files are masks of one structure."""


def read_union(paths: Sequence[Path], read: Callable[[Sequence[Path]], Image]) -> Image:
    """The largest value of each voxel, which is the union of masks that mark one structure with one value.

    Args:
        paths: One mask each, all on the grid of the first.
        read: Reads one file.

    Raises:
        UnreadableFile: When one is broken, or lies on another grid.
    """
    first = read(paths[:1])
    array = first.array
    for path in paths[1:]:
        other = read([path])
        if other.array.shape != array.shape or not other.geometry.is_close(first.geometry):
            raise UnreadableFile(
                path,
                f"it lies on another grid than {paths[0].name}, another mask of the same image: "
                f"(C, Z, Y, X) {other.array.shape} and {array.shape}",
                "Draw both on the image",
            )
        array = np.maximum(array, other.array)
    return first.with_array(array, note=f"{len(paths)} masks were united")
