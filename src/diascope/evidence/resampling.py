"""Resampling of whole patients: cases of one patient are not independent and stay together (Field and Welsh 2007)."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Clusters:
    """The cases of each patient.

    Args:
        order: (N,) indices of the cases, patient after patient.
        starts: (P,) where each patient begins in `order`.
        sizes: (P,) cases of each patient.
    """

    order: Indices
    starts: Indices
    sizes: Indices

    @property
    def patients(self) -> int:
        """Number of patients P."""
        return int(self.sizes.size)

    def resamples(self, count: int, seed: int) -> Iterator[Indices]:
        """`count` times the cases of P patients drawn with replacement.

        The same seed and patients give the same draws, so that statistics (and models) can be paired.
        """
        rng = np.random.default_rng(seed)
        for _ in range(count):
            drawn = rng.integers(self.patients, size=self.patients)
            sizes = self.sizes[drawn]
            ends = np.cumsum(sizes)
            shift = np.repeat(self.starts[drawn] - ends + sizes, sizes)
            yield self.order[shift + np.arange(ends[-1])]


def clusters(patients: Sequence[Hashable] | npt.NDArray[np.generic]) -> Clusters:
    """Group the cases by patient, in the order in which the patients first appear.

    Args:
        patients: (N,) patient key of each case.
    """
    codes = codes_of(patients)
    order = np.argsort(codes, kind="stable")
    sizes = np.bincount(codes)
    return Clusters(order=order, starts=np.cumsum(sizes) - sizes, sizes=sizes)


def codes_of(patients: Sequence[Hashable] | npt.NDArray[np.generic]) -> Indices:
    """Patient keys (N,) as numbers 0 .. P - 1 in the order of first appearance."""
    seen: dict[Hashable, int] = {}
    return np.array([seen.setdefault(patient, len(seen)) for patient in patients], dtype=np.intp)
