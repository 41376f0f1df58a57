"""The network of boxes: an encoder's pyramid, and one head for all of its levels.

Dense and without anchors (FCOS, arXiv:1904.01355): a position says how likely each label is, and how far the faces of
the box are, in strides of its level.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from diascope.engine.network import OutputShape
from diascope.models.blocks.convolution import convolution

PRIOR = 0.01
"""Probability of each label at each position before anything is learnt (focal loss, arXiv:1708.02002)."""
LAYERS = 2
"""Convolutions of a tower."""
FARTHEST = 3.5
"""Logarithm of the largest distance in strides: a larger box is said by a coarser level."""
Shape = tuple[int, int, int]


class Tower(nn.Module):
    """Two convolutions that all levels share, with a normalisation of each level's own (RTMDet, arXiv:2212.07784)."""

    def __init__(self, flat: bool, channels: int, levels: int) -> None:
        super().__init__()
        norm = nn.BatchNorm2d if flat else nn.BatchNorm3d
        size, step = (3, 3, 3), (1, 1, 1)
        self.layers = nn.ModuleList(
            convolution(2 if flat else 3, (channels, channels), size, step, bias=False) for _ in range(LAYERS)
        )
        self.norms = nn.ModuleList(nn.ModuleList(norm(channels) for _ in range(LAYERS)) for _ in range(levels))

    def forward(self, x: Tensor, level: int) -> Tensor:
        """(B, D, ...) of a level to the same shape."""
        norms: nn.ModuleList = self.norms[level]  # type: ignore[assignment]
        for layer, norm in zip(self.layers, norms, strict=True):
            x = functional.relu(norm(layer(x)), inplace=True)
        return x


class Head(nn.Module):
    """One tower for labels and one for distances; a position says them by one convolution more.

    Args:
        flat: Whether images have one slice, and boxes no depth to be learnt.
        channels: Of the maps.
        labels: K.
        levels: Each has a scale of its own for its distances.
    """

    def __init__(self, flat: bool, channels: int, labels: int, levels: int) -> None:
        super().__init__()
        self.flat, self.faces = flat, 4 if flat else 6
        self.of_labels, self.of_faces = Tower(flat, channels, levels), Tower(flat, channels, levels)
        self.labels = _last(flat, channels, labels, -math.log((1 - PRIOR) / PRIOR))
        self.distances = _last(flat, channels, self.faces, 0.0)
        self.scales = nn.Parameter(torch.ones(levels))

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Maps (B, D, Z, Y, X) of each level to logits (B, P, K) and distances in strides (B, P, 6), level by level."""
        logits, faces = [], []
        for level, one in enumerate(maps):
            x = one.squeeze(2) if self.flat else one
            logits.append(self.labels(self.of_labels(x, level)).flatten(2))
            faces.append((self.distances(self.of_faces(x, level)) * self.scales[level]).flatten(2))
        said = torch.cat(logits, dim=2).transpose(1, 2).float()
        far = torch.cat(faces, dim=2).transpose(1, 2).float().clamp(max=FARTHEST).exp()
        return said, far if not self.flat else _with_depth(far)


class BoxNetwork(nn.Module):
    """An encoder that gives a pyramid, and the head.

    Args:
        encoder: With `channels` and `strides` of its maps, fine to coarse.
        labels: K.
        levels: Places of the maps that are read.
        shape: (Z, Y, X) of the images, or windows of them, that are read at once.
    """

    output: OutputShape = "boxes"

    def __init__(self, encoder: nn.Module, labels: int, levels: Sequence[int], shape: Shape) -> None:
        super().__init__()
        self.encoder, self.levels, self.shape = encoder, tuple(levels), shape
        channels: Sequence[int] = encoder.channels  # type: ignore[assignment]
        strides: Sequence[Shape] = encoder.strides  # type: ignore[assignment]
        self.strides = tuple(strides[level] for level in self.levels)
        self.labels = labels
        self.head = Head(shape[0] == 1, channels[self.levels[0]], labels, len(self.levels))

    def said(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, P, K) of the labels and boxes (B, P, 6) in voxels at each position of an image (B, C, Z, Y, X)."""
        maps = self.encoder(image)
        logits, distances = self.head([maps[level] for level in self.levels])
        z, y, x = image.shape[2:]
        centres, strides = positions((z, y, x), self.strides, image.device)
        reach = distances * torch.cat([strides, strides], dim=1)
        return logits, torch.cat([centres - reach[..., :3], centres + reach[..., 3:]], dim=-1)

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """(B, P, 6 + K) candidates: box in voxels of the input, then the score of each label (0 to 1)."""
        logits, boxes = self.said(inputs["image"])
        return torch.cat([boxes, logits.sigmoid()], dim=-1)

    @property
    def places(self) -> Tensor:
        """(P, 3): where each position lies in an image of `shape`, in voxels (z, y, x)."""
        return positions(self.shape, self.strides)[0]

    def mirrored(self, candidates: Tensor, axis: int) -> Tensor:
        """What was said about an image mirrored along an axis (0 = z), in places and positions of the image itself."""
        boxes, size = candidates[..., :6].clone(), self.shape[axis]
        boxes[..., axis], boxes[..., 3 + axis] = size - candidates[..., 3 + axis], size - candidates[..., axis]
        back = torch.cat([boxes, candidates[..., 6:]], dim=-1)
        parts, start = [], 0
        for grid in grids(self.shape, self.strides):
            count = math.prod(grid)
            part = back[:, start : start + count].reshape(len(back), *grid, -1)
            parts.append(part.flip(1 + axis).flatten(1, 3))
            start += count
        return torch.cat(parts, dim=1)


def grids(shape: Shape, strides: Sequence[Shape]) -> list[Shape]:
    """(Z, Y, X) of the map of each level: padded convolutions round up."""
    found = []
    for stride in strides:
        z, y, x = (-(-size // step) for size, step in zip(shape, stride, strict=True))
        found.append((z, y, x))
    return found


def positions(shape: Shape, strides: Sequence[Shape], device: torch.device | None = None) -> tuple[Tensor, Tensor]:
    """Where each position lies, (P, 3) in voxels (z, y, x), and the stride (P, 3) of its level; level by level."""
    places, steps = [], []
    for grid, stride in zip(grids(shape, strides), strides, strict=True):
        axes = [(torch.arange(size, device=device) + 0.5) * step for size, step in zip(grid, stride, strict=True)]
        place = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, 3)
        places.append(place)
        steps.append(torch.tensor(stride, dtype=place.dtype, device=device).expand(len(place), 3))
    return torch.cat(places), torch.cat(steps)


def _with_depth(distances: Tensor) -> Tensor:
    """Distances (B, P, 4) in the plane as (B, P, 6): a flat image is one voxel deep, and so is a box."""
    half = torch.full_like(distances[..., :1], 0.5)
    return torch.cat([half, distances[..., :2], half, distances[..., 2:]], dim=-1)


def _last(flat: bool, channels: int, outputs: int, bias: float) -> nn.Module:
    layer = convolution(2 if flat else 3, (channels, outputs), (3, 3, 3), (1, 1, 1))
    nn.init.normal_(layer.weight, std=0.01)
    nn.init.constant_(layer.bias, bias)  # type: ignore[arg-type]
    return layer


__all__ = ["BoxNetwork", "Head", "grids", "positions"]
