"""Feature spaces that distances between pictures are measured in; nothing is downloaded for them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
SIDE = 64
"""Pixels that pictures are brought to before a network looks at them."""
WIDTHS = (32, 64, 96, 128)
FEATURES = 64
PER_MAP = 6
"""Numbers that are said of each map: mean, deviation, four quarters."""
LAYOUT, LEAST_SPREAD, SCALE = 0.5, 0.05, 10.0
SEED = 20260
THUMBNAIL = 32
"""Pixels along the longer side, of the space of plain grey values."""
CHUNK = 128


def scaled(pictures: Bytes, side: int = SIDE) -> Tensor:
    """Bytes (N, C, Y, X) to (N, C, side, side) in -1..1."""
    images = torch.from_numpy(np.ascontiguousarray(pictures)).float() / 127.5 - 1
    if images.shape[2:] == (side, side):
        return images
    return functional.interpolate(images, size=(side, side), mode="bilinear", antialias=True, align_corners=False)


def of_fixed_network(pictures: Bytes) -> Floats:
    """Features (N, 64) of a convolutional network with fixed random weights, that nobody trained.

    Random features rank how alike sets of pictures are where ImageNet's do not apply (Naeem et al. 2020,
    arXiv:2002.09797). Of each of four strided convolutions with orthogonal weights: the mean and the logarithm of the
    deviation of each map, and the means of its quarters; then a random projection. The last map alone would take
    blurred pictures, and even one grey, for real ones: texture must count at every scale.
    """
    if not len(pictures):
        return np.zeros((0, FEATURES))
    weights = _weights(pictures.shape[1])
    parts = [_through(scaled(pictures[at : at + CHUNK]), weights) for at in range(0, len(pictures), CHUNK)]
    return torch.cat(parts).double().numpy()


def _weights(channels: int) -> list[Tensor]:
    rng = np.random.default_rng(SEED)
    found, entered = [], channels
    for left in WIDTHS:
        found.append(_orthogonal(rng, left, entered * 9).reshape(left, entered, 3, 3))
        entered = left
    return [*found, _orthogonal(rng, FEATURES, sum(WIDTHS) * PER_MAP)]


def _orthogonal(rng: np.random.Generator, rows: int, columns: int) -> Tensor:
    """(rows, columns), orthonormal along the shorter side; scaled so that a leaky ReLU keeps the size of its input."""
    values, _ = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
    wide = values if rows >= columns else values.T
    return torch.from_numpy(np.ascontiguousarray(wide)).float() * 2**0.5


def _through(images: Tensor, weights: list[Tensor]) -> Tensor:
    said = []
    with torch.no_grad():
        for kernel in weights[:-1]:
            images = functional.leaky_relu(functional.conv2d(images, kernel, stride=2, padding=1), 0.2)
            quarters = LAYOUT * functional.adaptive_avg_pool2d(images, 2).flatten(1)
            spread = (images.std(dim=(2, 3)) + LEAST_SPREAD).log()
            # Each convolution counts alike, however many maps it has.
            parts = [images.mean(dim=(2, 3)), spread, quarters]
            said += [part / part.shape[1] ** 0.5 for part in parts]
        projected: Tensor = SCALE * torch.cat(said, dim=1) @ weights[-1].T
        return projected


def of_pixels(pictures: Bytes) -> Floats:
    """Grey values (N, D) of thumbnails, in -1..1: what a copy shares with its original."""
    height, width = pictures.shape[2:]
    factor = min(1.0, THUMBNAIL / max(height, width))
    size = (max(1, round(height * factor)), max(1, round(width * factor)))
    images = torch.from_numpy(np.ascontiguousarray(pictures)).float() / 127.5 - 1
    small = functional.interpolate(images, size=size, mode="bilinear", antialias=True, align_corners=False)
    return small.flatten(1).double().numpy()


def mirrored(pictures: Bytes, axes: tuple[int, ...]) -> Bytes:
    """Each picture (N, C, Y, X) followed by its mirror images along each of the axes (1 = y, 2 = x): (N * K, ...)."""
    variants = [pictures, *(np.flip(pictures, axis + 1) for axis in axes if axis > 0)]
    return np.stack(variants, axis=1).reshape(-1, *pictures.shape[1:])
