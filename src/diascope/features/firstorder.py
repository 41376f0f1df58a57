"""Grey values of a region, whatever their place."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from diascope.features import Features, Floats, Region
from diascope.features.texture.emphasis import EPSILON

IN_UNITS = (
    *("10Percentile", "90Percentile", "InterquartileRange", "Maximum", "Mean", "MeanAbsoluteDeviation", "Median"),
    *("Minimum", "Range", "RobustMeanAbsoluteDeviation", "RootMeanSquared"),
)


class FirstOrder:
    """Energy is that of the values as they are (PyRadiomics can shift them first)."""

    flat: bool | None = None
    units: Mapping[str, str] = MappingProxyType(dict.fromkeys(IN_UNITS, "image"))

    def measure(self, region: Region) -> dict[str, float]:
        values = region.inside
        low, first, median, third, high = np.percentile(values, (10, 25, 50, 75, 90))
        middle = values[(values >= low) & (values <= high)]
        mean, energy = float(values.mean()), float((values**2).sum())
        variance = float(((values - mean) ** 2).mean())
        share = np.unique(region.levels[region.mask], return_counts=True)[1] / values.size
        found = {
            "10Percentile": low,
            "90Percentile": high,
            "Energy": energy,
            "Entropy": -(share * np.log2(share + EPSILON)).sum(),
            "InterquartileRange": third - first,
            "Kurtosis": _moment(values, mean, variance, 4),
            "Maximum": values.max(),
            "Mean": mean,
            "MeanAbsoluteDeviation": np.abs(values - mean).mean(),
            "Median": median,
            "Minimum": values.min(),
            "Range": np.ptp(values),
            "RobustMeanAbsoluteDeviation": np.abs(middle - middle.mean()).mean(),
            "RootMeanSquared": np.sqrt(energy / values.size),
            "Skewness": _moment(values, mean, variance, 3),
            "TotalEnergy": energy * np.prod(region.spacing),
            "Uniformity": (share**2).sum(),
            "Variance": variance,
        }
        return {name: float(value) for name, value in found.items()}


def _moment(values: Floats, mean: float, variance: float, order: int) -> float:
    """Standardised; 0 where all values are alike."""
    return float(((values - mean) ** order).mean() / variance ** (order / 2)) if variance > 0 else 0.0


FEATURES: Features = FirstOrder()
