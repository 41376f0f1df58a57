"""Occlusion: how far the answer falls when a part of the image is covered (Zeiler and Fergus 2014)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from diascope.explainers import Explainer
from diascope.explainers.maps import answer, finished, in_eval


@dataclass(frozen=True)
class Occlusion:
    """Covers one cell of a regular grid after another with the mean of the image, and notes the fall of the answer.

    Needs nothing of the network but its answer, one forward pass for each cell.

    Args:
        cells_flat: Cells along each axis of a 2-D image.
        cells_volume: Cells along each axis of a volume: their number grows with the third power.
        cells_line: Cells along a signal (Z = Y = 1).
        title: Name for people.
    """

    cells_flat: int = 8
    cells_volume: int = 5
    cells_line: int = 24
    title: str = "Occlusion"

    def explain(self, network: nn.Module, images: Tensor, output: int) -> npt.NDArray[np.float32]:
        """Maps (B, Z, Y, X) in 0..1."""
        z, y, x = images.shape[2:]
        cells = self.cells_line if z == y == 1 else self.cells_flat if z == 1 else self.cells_volume
        edges = [_edges(size, cells) for size in (z, y, x)]
        falls = torch.zeros(images.shape[0], *(len(axis) - 1 for axis in edges))
        cover = images.mean(dim=(2, 3, 4), keepdim=True)
        with torch.no_grad(), in_eval(network):
            whole = answer(network, images, output).float().cpu()
            for place, box in _boxes(edges):
                covered = images.clone()
                covered[:, :, box[0], box[1], box[2]] = cover
                falls[:, place[0], place[1], place[2]] = whole - answer(network, covered, output).float().cpu()
        return finished(falls, (z, y, x))


def _edges(size: int, cells: int) -> list[int]:
    """Borders of at most `cells` cells, equal but for rounding, that fill `size` voxels."""
    count = min(size, cells)
    return [size * index // count for index in range(count + 1)]


def _boxes(edges: list[list[int]]) -> Iterator[tuple[tuple[int, ...], tuple[slice, ...]]]:
    """Grid place and box in voxels of each cell."""
    for place in itertools.product(*(range(len(axis) - 1) for axis in edges)):
        yield place, tuple(slice(axis[index], axis[index + 1]) for axis, index in zip(edges, place, strict=True))


EXPLAINER: Explainer = Occlusion()
