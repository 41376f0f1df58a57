"""The weights that take one axis from `old` to `new` samples of the same box, as a matrix.

Interpolation on a grid is separable, so a whole volume is resampled by one matrix product an axis. The convention is
that of `Geometry.resized`: outer faces stay, sample i of n sits at (i + 1/2) / n of the box, and values beyond the
border are those of the border.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from torch import Tensor

from diascope.core.errors import BadUsage

Array = npt.NDArray[np.float64]

SMALLEST = 1e-9
"""Smaller weights are zeroed: the tails of a cubic spline are denormal numbers, with which products are 10x slower."""


@lru_cache(maxsize=64)
def weights(old: int, new: int, order: int, anti_alias: bool = False) -> Tensor:
    """Weights of spline interpolation along one axis.

    Args:
        old: Samples before.
        new: Samples after, of the same box.
        order: 0 (nearest), 1 (linear) or 3 (cubic B-spline with its prefilter).
        anti_alias: Smooth first where `new` is smaller (Gaussian of scikit-image's `resize`).

    Returns:
        (new, old) float32, shared: do not change it.

    Raises:
        BadUsage: For another order.
    """
    if order == 0:
        matrix = np.zeros((new, old))
        matrix[np.arange(new), nearest(old, new).numpy()] = 1
    elif order == 1:
        matrix = _linear(old, new)
    elif order == 3:
        matrix = _cubic(old, new)
    else:
        raise BadUsage("the order of interpolation is 0, 1 or 3", given=order)
    if anti_alias and new < old:
        matrix = matrix @ gaussian(old, (old / new - 1) / 2)
    matrix[np.abs(matrix) < SMALLEST] = 0
    return torch.from_numpy(matrix.astype(np.float32))


def sampling(position: Array, size: int, order: int) -> Tensor:
    """Weights of the nearest sample (order 0) or of linear interpolation (1) at positions along one axis.

    Args:
        position: (new,) in samples; nothing is taken from beyond the first and the last sample.
        size: Samples that there are.
        order: 0 or 1.

    Returns:
        (new, size) float32.
    """
    low = np.rint(position) if order == 0 else np.floor(position)
    share = np.zeros_like(position) if order == 0 else position - low
    matrix = np.zeros((len(position), size))
    for index, weight in ((low, 1 - share), (low + 1, share)):
        inside = np.flatnonzero((index >= 0) & (index < size))
        matrix[inside, index[inside].astype(np.int64)] = weight[inside]
    return torch.from_numpy(matrix.astype(np.float32))


def gaussian(size: int, sigma: float) -> Array:
    """(size, size) float64: smoothing along one axis with a Gaussian of `sigma` voxels, border values continued."""
    matrix: Array = ndimage.gaussian_filter1d(np.eye(size), sigma, axis=0, mode="nearest")
    return matrix


def nearest(old: int, new: int) -> Tensor:
    """(new,) int64: the old sample whose cell holds the centre of each new one."""
    return torch.from_numpy(np.minimum((2 * np.arange(new) + 1) * old // (2 * new), old - 1))


def basis(position: Array, size: int) -> Array:
    """(len(position), size) float64: cubic B-splines on whole numbers, `position` between 1 and `size` - 2."""
    first = np.clip(np.floor(position).astype(np.int64) - 1, 0, size - 4)
    t = (position - first - 1)[:, None]
    pieces = np.hstack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]) / 6
    matrix = np.zeros((len(position), size))
    np.put_along_axis(matrix, first[:, None] + np.arange(4), pieces, axis=1)
    return matrix


def _positions(old: int, new: int) -> Array:
    return (np.arange(new) + 0.5) * old / new - 0.5


def _cubic(old: int, new: int) -> Array:
    # scipy.ndimage.zoom continues the border by 12 samples before the prefilter in this mode; so do we.
    padded = np.pad(np.eye(old), ((0, 0), (12, 12)), mode="edge")
    coefficients = ndimage.spline_filter1d(padded, order=3, axis=1, mode="nearest")
    matrix: Array = basis(_positions(old, new) + 12, old + 24) @ coefficients.T
    return matrix


def _linear(old: int, new: int) -> Array:
    position = np.clip(_positions(old, new), 0, old - 1)
    low = np.minimum(position.astype(np.int64), max(old - 2, 0))
    matrix = np.zeros((new, old))
    np.add.at(matrix, (np.arange(new), low), 1 - (position - low))
    np.add.at(matrix, (np.arange(new), np.minimum(low + 1, old - 1)), position - low)
    return matrix
