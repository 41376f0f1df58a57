"""Questions about the values of one image; each answers with a sentence, or None where nothing is wrong."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from diascope.core.image import Image


def failed(**answers: str | None) -> Mapping[str, str]:
    """Keep the checks that found something; names are written with hyphens."""
    return {name.replace("_", "-"): answer for name, answer in answers.items() if answer is not None}


def not_finite(image: Image) -> str | None:
    """NaN or infinite voxels."""
    if image.array.dtype.kind != "f":
        return None
    bad = image.array.size - int(np.isfinite(image.array).sum())
    return f"{bad} of {image.array.size} voxels are NaN or infinite" if bad else None


def constant(image: Image) -> str | None:
    """One value everywhere (NaN aside)."""
    low, high = float(np.nanmin(image.array)), float(np.nanmax(image.array))
    return f"every voxel is {low:g}" if low == high else None


def clipped(image: Image, share: float) -> str | None:
    """More than `share` of the voxels at the very highest value: the detector or the conversion ran out of range."""
    top = image.array.max()
    part = float((image.array == top).mean())
    return f"{part:.1%} of the voxels have the highest value, {top:g}" if part > share else None


def empty_slices(image: Image) -> str | None:
    """Slices of a volume that hold a single value."""
    if image.is_flat:
        return None
    planes = image.array.reshape(image.channels, image.shape[0], -1)
    empty = np.flatnonzero((planes.max(-1) == planes.min(-1)).all(0))
    listed = ", ".join(map(str, empty[:5])) + (", ..." if empty.size > 5 else "")
    return f"{empty.size} of {image.shape[0]} slices are empty: {listed}" if empty.size else None


def repeated_slices(image: Image) -> str | None:
    """Neighbouring slices (or frames) that are the same picture."""
    if image.is_flat:
        return None
    same = (image.array[:, 1:] == image.array[:, :-1]).all(axis=(0, 2, 3))
    return f"{int(same.sum())} of {image.shape[0]} slices repeat the one before" if same.any() else None


def negative(image: Image) -> str | None:
    """Values below zero where the quantity has none."""
    low = float(np.nanmin(image.array))
    return f"the lowest value is {low:g}, this quantity is never negative" if low < 0 else None
