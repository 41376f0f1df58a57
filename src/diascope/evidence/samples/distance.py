"""How far two sets of points lie apart: Fréchet's distance and the kernel distance."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from diascope.evidence.resampling import codes_of

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]
FEWEST = 2
"""Points that a spread needs."""
GROUPS = 40
"""Parts that are left out in turn, at most."""


def frechet(one: Floats, other: Floats) -> float:
    """Squared Fréchet distance of two normal distributions with the means and covariances of the sets.

    Dowson & Landau 1982; Heusel et al. 2017 (arXiv:1706.08500). It is too large for small sets: compare figures of the
    same number of points only.

    Args:
        one: (N, D).
        other: (M, D).

    Returns:
        At least 0; nan with fewer than two points on a side.

    Example:
        >>> corners = np.array([[0.0, 0.0], [0.0, 2.0], [2.0, 0.0], [2.0, 2.0]])
        >>> round(frechet(corners, corners + [3.0, 4.0]), 6)
        25.0
    """
    if min(len(one), len(other)) < FEWEST:
        return float("nan")
    apart = one.mean(axis=0) - other.mean(axis=0)
    first, second = (np.atleast_2d(np.cov(points, rowvar=False)) for points in (one, other))
    # The trace of the root of a product, by the symmetric form of it: its eigenvalues are real and not negative.
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    shared = np.sqrt(np.clip(np.linalg.eigvalsh(root @ second @ root), 0, None)).sum()
    return max(0.0, float(apart @ apart + np.trace(first) + np.trace(second) - 2 * shared))


class KernelDistance:
    """Squared maximum mean discrepancy with the kernel (x·y / D + 1)³, unbiased (arXiv:1801.01401, "KID").

    Args:
        one: (N, D).
        other: (N, D); point i belongs to the same case as point i of `one`, so that cases can be resampled.
    """

    def __init__(self, one: Floats, other: Floats) -> None:
        width = one.shape[1]
        self.within = tuple((points @ points.T / width + 1) ** 3 for points in (one, other))
        self.between = (one @ other.T / width + 1) ** 3

    def __call__(self, index: Indices) -> float:
        """The distance of a choice of cases (with repeats), about 0 for two sets of one distribution.

        A point and its repeat are no pair: they would make every resample look more alike than it is.
        """
        weights = np.bincount(index, minlength=len(self.between)).astype(float)
        total = weights.sum()
        pairs = total**2 - weights @ weights
        if pairs <= 0:
            return float("nan")
        within = sum(weights @ kernel @ weights - weights**2 @ np.diag(kernel) for kernel in self.within)
        return float(within / pairs - 2 * (weights @ self.between @ weights) / total**2)


def jackknife(of: Callable[[Indices], float], patients: Sequence[str]) -> tuple[float, float]:
    """95 % interval of a smooth statistic of all cases, by leaving patients out in turn (Efron & Stein 1981).

    For statistics that repeats would bias, as Fréchet's distance, which a bootstrap makes larger.

    Args:
        of: Indices of cases to a value.
        patients: (N,) patient key of each case; a patient is left out whole.

    Returns:
        Low and high; nan with fewer than two patients.
    """
    codes = codes_of(patients)
    number = int(codes.max()) + 1 if codes.size else 0
    groups = min(number, GROUPS)
    if groups < FEWEST:
        return float("nan"), float("nan")
    everything, part = np.arange(len(codes)), codes % groups
    values = np.array([of(everything[part != group]) for group in range(groups)])
    error = float(np.sqrt((groups - 1) / groups * ((values - values.mean()) ** 2).sum()))
    half, middle = float(-stdtrit(groups - 1, 0.025)) * error, of(everything)
    return middle - half, middle + half
