"""Grey levels of neighbours (co-occurrence; Haralick 1973): of each direction, then the mean over the directions."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from diascope.features import Features, Floats, Region
from diascope.features.texture.emphasis import EPSILON
from diascope.features.texture.neighbours import Neighbourhood


class CoOccurrence:
    """Symmetrical, of direct neighbours."""

    flat: bool | None = None
    units: Mapping[str, str] = MappingProxyType({})

    def measure(self, region: Region) -> dict[str, float]:
        near = Neighbourhood(region.levels)
        grey = np.unique(near.levels[near.places])
        found = []
        for step in near.steps:
            one, other = near.levels[near.places], near.levels[near.places + step]
            pairs = np.searchsorted(grey, one[other > 0]) * grey.size + np.searchsorted(grey, other[other > 0])
            counts = np.bincount(pairs, minlength=grey.size**2).reshape(grey.size, grey.size).astype(float)
            if counts.any():
                both = counts + counts.T
                found.append(_of_direction(both / both.sum(), grey.astype(float)))
        if not found:
            return dict.fromkeys(_of_direction(np.ones((1, 1)), np.ones(1)), np.nan)
        return {name: float(np.mean([one[name] for one in found])) for name in found[0]}


def _of_direction(p: Floats, grey: Floats) -> dict[str, float]:
    """Features of one table.

    Args:
        p: (N, N) shares, symmetrical, in all 1.
        grey: (N,) its levels.
    """
    i, j = np.meshgrid(grey, grey, indexing="ij")
    px, highest = p.sum(axis=1), grey.max()
    mean = float((p * i).sum())
    variance = float((p * (i - mean) ** 2).sum())
    apart, added = np.abs(i - j), i + j
    differences, of_difference = _gathered(p, apart)
    _, of_sum = _gathered(p, added)
    difference = float((of_difference * differences).sum())
    off = differences > 0
    cross = float((p * (i - mean) * (j - mean)).sum())
    return {
        "Autocorrelation": float((p * i * j).sum()),
        "JointAverage": mean,
        "ClusterProminence": float((p * (added - 2 * mean) ** 4).sum()),
        "ClusterShade": float((p * (added - 2 * mean) ** 3).sum()),
        "ClusterTendency": float((p * (added - 2 * mean) ** 2).sum()),
        "Contrast": float((p * apart**2).sum()),
        "Correlation": cross / variance if variance > 0 else 1.0,
        "DifferenceAverage": difference,
        "DifferenceEntropy": _entropy(of_difference),
        "DifferenceVariance": float((of_difference * (differences - difference) ** 2).sum()),
        "JointEnergy": float((p**2).sum()),
        "JointEntropy": _entropy(p),
        **_information(p, px),
        "MCC": _correlation(p, px),
        "Idm": float((p / (1 + apart**2)).sum()),
        "Idmn": float((p / (1 + (apart / highest) ** 2)).sum()),
        "Id": float((p / (1 + apart)).sum()),
        "Idn": float((p / (1 + apart / highest)).sum()),
        "InverseVariance": float((of_difference[off] / differences[off] ** 2).sum()),
        "MaximumProbability": float(p.max()),
        "SumAverage": 2 * mean,
        "SumEntropy": _entropy(of_sum),
        "SumSquares": variance,
    }


def _gathered(p: Floats, by: Floats) -> tuple[Floats, Floats]:
    """Shares of each value of `by`."""
    values, place = np.unique(by, return_inverse=True)
    return values, np.asarray(np.bincount(place.reshape(-1), p.reshape(-1)), float)


def _entropy(p: Floats) -> float:
    return float(-(p * np.log2(p + EPSILON)).sum())


def _information(p: Floats, px: Floats) -> dict[str, float]:
    """How much one neighbour tells of the other, in two measures."""
    alone, joint = _entropy(px), _entropy(p)
    both = np.outer(px, px)
    log = np.log2(both + EPSILON)
    first, second = float(-(p * log).sum()), float(-(both * log).sum())
    return {
        "Imc1": (joint - first) / alone if alone > 0 else 0.0,
        "Imc2": float(np.sqrt(max(0.0, 1 - np.exp(-2 * (second - joint))))),
    }


def _correlation(p: Floats, px: Floats) -> float:
    """The highest that any re-numbering of the levels has: the second singular value of the normalised table."""
    there = px > 0
    if there.sum() < 2:
        return 1.0
    root = np.sqrt(px[there])
    values = np.abs(np.linalg.eigvalsh(p[np.ix_(there, there)] / np.outer(root, root)))
    return float(np.sort(values)[-2])


FEATURES: Features = CoOccurrence()
