"""Whether a generator makes what it learnt from: made points against points that were held out of its training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import beta

from diascope.evidence.proportions import proportion
from diascope.evidence.samples.nearest import Nearest

LEVEL = 0.05
"""Share of the held-out points that lie nearest to the training points: what is nearer still is suspicious."""
COPY = 1 / 3
"""Relative distance below which a point is a copy: three times as near to one training point as to its neighbours."""


@dataclass(frozen=True)
class Memory:
    """What made points say about the memory of their generator.

    Args:
        near: (N,) made points that are nearer to a training point than nearly all held-out ones, both by their
            distance and by their relative one.
        share: Of the made points that are.
        low: Of its 95 % interval.
        high: Likewise.
        expected: What the share of a generator that has learnt no point by heart may be: the level that the quantile of
            so few held-out points may have.
        copies: (N,) made points so near to one training point that they are copies of it.
        held_copies: Share of the held-out points that are: near duplicates in the data.
        allowed: How many made points may be by chance: none where points lie in many dimensions.
    """

    near: npt.NDArray[np.bool_]
    share: float
    low: float
    high: float
    expected: float
    copies: npt.NDArray[np.bool_]
    held_copies: float
    allowed: float

    @property
    def too_near(self) -> bool:
        """Whether more made points are near to training points than held-out ones would be, beyond chance."""
        return bool(self.low > self.expected)

    @property
    def reproduces(self) -> bool:
        """Whether there are more copies of training points than chance explains.

        That the data has near duplicates of its own excuses none: each of them is somebody's image.
        """
        return bool(self.copies.sum() > self.allowed)


def memory(made: Nearest, held: Nearest) -> Memory:
    """Compare made points with held-out ones, by their nearest training points.

    A share of the held-out points is nearer than any quantile of them by chance, and so is that of fresh samples of the
    same distribution. A generator that repeats what it has seen has more. Two conditions keep what is merely blurred
    from being taken for a copy: it is near to everything, but not nearer to one than to others.

    Args:
        made: Of N made points.
        held: Of points of the same kind that were not trained on.
    """
    number = len(held.distance)
    near = (made.distance < _quantile(held.distance)) & (made.relative < _quantile(held.relative))
    share, low, high = proportion(near, range(len(near)))
    rank = _rank(number)
    # Of N numbers the k-th smallest lies at a level that is beta distributed, whatever their distribution.
    expected = float(beta.ppf(0.975, rank, number + 1 - rank)) if number else 1.0
    copies, twins = made.relative < COPY, float((held.relative < COPY).mean()) if number else 0.0
    count = len(copies) * chance_of_copy(held.relative) if number else 0.0
    return Memory(near, share, low, high, expected, copies, twins, 2 * count + 3 * float(np.sqrt(count)))


def chance_of_copy(relative: npt.NDArray[np.float64]) -> float:
    """How often a fresh point would be taken for a copy, by how relative distances of held-out points are distributed.

    The share of points nearer than a relative distance t grows as t to the power of the number of dimensions in which
    points lie (Levina & Bickel 2004). That power is read from the quarter and the half of the held-out points, which
    near duplicates in the data do not reach; where they do (several pictures of one patient whom nobody named), from
    the half and three quarters. It errs towards more (clouds of 1 to 32 dimensions were tried).

    Args:
        relative: (N,) relative distances of held-out points.
    """
    shares = (0.25, 0.5, 0.75)
    known = [(share, float(at)) for share, at in zip(shares, np.quantile(relative, shares), strict=True) if at > COPY]
    if len(known) < 2:
        return float((relative < COPY).mean())
    (low, near), (high, far) = known[:2]
    dimensions = np.log(high / low) / max(float(np.log(far / near)), 1e-9)
    return float(low * (COPY / near) ** dimensions)


def _rank(number: int) -> int:
    return max(1, int(np.ceil(LEVEL * number)))


def _quantile(values: npt.NDArray[np.float64]) -> float:
    return float(np.sort(values)[_rank(len(values)) - 1]) if len(values) else 0.0
