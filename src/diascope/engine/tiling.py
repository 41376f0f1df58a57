"""Boxes of a volume that is read window by window: each place is answered for by one window, the one it is deepest in.

Near a face of a window the network sees half of a lesion, or none of what surrounds it. Windows overlap, and of the
positions that several of them cover only those of one are taken; the borders lie in the middle of what two windows
share. So every position of the volume is read once, and no window repeats what another one says better.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from diascope.engine.feeding import crop
from diascope.engine.windows import Shape, window_starts


def tiled(volume: Tensor, read: Callable[[Tensor], Tensor], places: Tensor, patch: Shape, overlap: float) -> Tensor:
    """What is said at every position of a volume.

    Args:
        volume: (C, Z, Y, X).
        read: A window (1, C, *patch) to candidates (1, P, 6 + K) in its own voxels.
        places: (P, 3) where each candidate's position lies in a window, in voxels (z, y, x).
        patch: (Z, Y, X) of a window.
        overlap: Share of a window that the next one covers again.

    Returns:
        (Q, 6 + K) candidates in voxels of the volume.
    """
    array = volume.numpy()
    starts = [_starts(size, side, overlap) for size, side in zip(volume.shape[1:], patch, strict=True)]
    found = []
    for z, y, x in itertools.product(*(range(len(one)) for one in starts)):
        chosen = (z, y, x)
        start = tuple(starts[axis][chosen[axis]] for axis in range(3))
        window = np.ascontiguousarray(crop(array, (start[0], start[1], start[2]), patch))
        said = read(torch.from_numpy(window)[None])[0]
        own = torch.ones(len(places), dtype=torch.bool)
        for axis in range(3):
            low, high = _own(starts[axis], chosen[axis], patch[axis])
            own &= (places[:, axis] >= low) & (places[:, axis] < high)
        kept = said[own].clone()
        kept[:, :6] += torch.tensor([*start, *start], dtype=kept.dtype)
        found.append(kept)
    return torch.cat(found)


def _starts(size: int, side: int, overlap: float) -> list[int]:
    """First voxels of the windows along an axis; of a volume that is smaller than one the middle of both is one."""
    return window_starts(size, side, overlap) if size >= side else [(size - side) // 2]


def _own(starts: Sequence[int], number: int, side: int) -> tuple[float, float]:
    """From where to where a window answers for itself along an axis, in its own voxels."""
    start = starts[number]
    low = -np.inf if number == 0 else (starts[number - 1] + side - start) / 2
    high = np.inf if number == len(starts) - 1 else (starts[number + 1] - start + side) / 2
    return float(low), float(high)
