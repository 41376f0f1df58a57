"""Whether made points look real (precision), and whether what is real is made (recall)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from diascope.evidence.samples.nearest import distances

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
NEIGHBOURS = 3
"""The ball around a point reaches to this neighbour of its own set, as in the paper."""


def covered(points: Floats, by: Floats, neighbours: int = NEIGHBOURS) -> Bools:
    """Which points lie in a ball around a point of another set (Kynkäänniemi et al. 2019, arXiv:1904.06991).

    The share of made points in the balls of the real ones is the improved precision, that of the real ones in the
    balls of the made ones the improved recall.

    Args:
        points: (N, D).
        by: (M, D), more than `neighbours` of them.
        neighbours: Each ball reaches to that neighbour of its centre.

    Returns:
        (N,); all False where there are too few points to make balls of.
    """
    if len(by) <= neighbours or not len(points):
        return np.zeros(len(points), bool)
    own = distances(by, by)
    radius = np.partition(own, neighbours, axis=1)[:, neighbours]  # the nearest of all is the point itself
    return np.asarray((distances(points, by) <= radius[None]).any(axis=1))
