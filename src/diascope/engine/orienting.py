"""One order of axes for all volumes: files store a patient in any of 48 orders, and a network knows only one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from diascope.core.geometry import Geometry
from diascope.core.image import Image

Shape = tuple[int, int, int]
UPRIGHT = (2, 1, 0)
"""Component (of x, y, z in LPS) along which the array axes z, y, x of an upright volume rise."""


@dataclass(frozen=True)
class Turn:
    """How a volume is brought upright: towards the head, the back and the left along z, y and x, without resampling.

    Args:
        order: Array axes of the stored volume, in the order of the upright one.
        flips: Which axes of the upright volume run the other way in the stored one.
    """

    order: tuple[int, int, int] = (0, 1, 2)
    flips: tuple[bool, bool, bool] = (False, False, False)

    @classmethod
    def of(cls, geometry: Geometry, shape: Shape) -> Self:
        """For a stored volume; flat pictures and volumes without millimetres stay as they are.

        An oblique volume takes the order that lies nearest.
        """
        if not geometry.physical or min(shape) == 1:
            return cls()
        directions = np.asarray(geometry.directions)[list(UPRIGHT)]
        _, chosen = linear_sum_assignment(np.abs(directions), maximize=True)
        z, y, x = (int(axis) for axis in chosen)
        c, b, a = (bool(directions[row, axis] < 0) for row, axis in enumerate(chosen))
        return cls((z, y, x), (c, b, a))

    def geometry(self, geometry: Geometry, shape: Shape) -> Geometry:
        """Of the upright volume."""
        turned, sizes = geometry.permuted(self.order), self.shape(shape)
        for axis, flip in enumerate(self.flips):
            turned = turned.flipped(axis, sizes[axis]) if flip else turned
        return turned

    def shape(self, shape: Shape) -> Shape:
        """(Z, Y, X) of the upright volume."""
        z, y, x = (shape[axis] for axis in self.order)
        return z, y, x

    def array(self, stored: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """(..., Z, Y, X) brought upright."""
        lead = stored.ndim - 3
        turned = stored.transpose(*range(lead), *(lead + axis for axis in self.order))
        return np.ascontiguousarray(turned[self._slices()])

    def back(self, upright: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """(..., Z, Y, X) as the file stores it."""
        lead = upright.ndim - 3
        stored = upright[self._slices()]
        return np.ascontiguousarray(
            stored.transpose(*range(lead), *(lead + self.order.index(axis) for axis in range(3)))
        )

    def _slices(self) -> tuple[Any, ...]:
        return (Ellipsis, *(slice(None, None, -1) if flip else slice(None) for flip in self.flips))


def upright(image: Image) -> Image:
    """The same image with its axes in the one order."""
    turn = Turn.of(image.geometry, image.shape)
    if turn == Turn():
        return image
    return image.with_array(turn.array(image.array), turn.geometry(image.geometry, image.shape))
