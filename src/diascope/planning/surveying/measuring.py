"""Facts of one image, in one pass over its voxels."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as Picture

from diascope.core.image import Image
from diascope.planning.surveying.facts import InputFactsOfCase

SAMPLE = 1 << 15
"""Percentiles of larger images are taken from a strided sub-sample of at least so many values."""
CHUNK = 1 << 20
"""Values that are converted at a time, so that a large volume is never held as float64."""
SIDE = 64
"""Side of a thumbnail in pixels."""

COLOUR = 1 / 16
"""Of the full range: by so much the channels of a coloured pixel differ; JPEG moves those of a grey one by less."""
COLOURED = 0.2
"""Share of coloured pixels that makes a picture one in colour; round fields of view leave black corners."""

Array = npt.NDArray[Any]
Quartet = tuple[float, float, float, float]


@dataclass(frozen=True)
class Moments:
    """Extremes, mean and deviation of the finite values, and how many are not finite."""

    minimum: float
    maximum: float
    mean: float
    std: float
    bad: int


def measure(image: Image, file_bytes: int, file_digest: str, masked: Array | None = None) -> InputFactsOfCase:
    """Facts of one image.

    Args:
        image: As read.
        file_bytes: Size of its file or files.
        file_digest: SHA-256 of their bytes.
        masked: (N,) flat indices (z, y, x) of voxels inside a mask; None or empty where there is none.

    Returns:
        The facts.
    """
    array = np.ascontiguousarray(image.array)
    if array.dtype == np.bool_:
        array = array.view(np.uint8)
    if array.dtype == np.uint8:
        moments, (low, median, high), foreground = _counted(array, masked)
    else:
        moments, (low, median, high), foreground = _sampled(array, masked)
    thumbnail = _thumbnail(array, low, high)
    return InputFactsOfCase(
        shape=image.shape,
        channels=image.channels,
        steps=image.geometry.steps,
        physical=image.geometry.physical,
        dtype=str(image.array.dtype),
        modality=image.modality,
        unit=image.unit,
        digest=_digest(array),
        file_bytes=file_bytes,
        low=low,
        median=median,
        high=high,
        minimum=moments.minimum,
        maximum=moments.maximum,
        mean=moments.mean,
        std=moments.std,
        bad=moments.bad,
        foreground=foreground,
        thumbnail=thumbnail,
        border=_border(thumbnail),
        attributes=dict(image.attributes),
        history=image.history,
        file_digest=file_digest,
        coloured=_coloured(array),
    )


def _coloured(array: Array) -> bool:
    """Whether three channels really differ: not so in a film that was saved as RGB, or with a little coloured text."""
    if array.shape[0] != 3 or array.shape[1] != 1:
        return False
    every = max(1, math.isqrt(array[0].size // SAMPLE))
    some = array[:, 0, ::every, ::every].astype(np.float32)
    spread = some.max(axis=0) - some.min(axis=0)
    full = 255.0 if array.dtype == np.uint8 else float(some.max())
    # A comparison with NaN is false: what is not finite has no colour.
    return bool((spread > COLOUR * full).mean() > COLOURED)


def _digest(array: Array) -> str:
    """SHA-256 of shape and values as little-endian float32; -0 counts as 0."""
    hasher = hashlib.sha256(repr(array.shape).encode())
    flat = array.reshape(-1)
    for start in range(0, flat.size, CHUNK):
        values = flat[start : start + CHUNK].astype("<f4")
        values += 0.0
        hasher.update(values.tobytes())
    return hasher.hexdigest()


def _counted(array: Array, masked: Array | None) -> tuple[Moments, list[float], tuple[Quartet, ...]]:
    """Everything of an 8-bit image from the exact histograms of its channels."""
    flat = array.reshape(array.shape[0], -1)
    counts = np.stack([np.bincount(channel, minlength=256) for channel in flat])
    if masked is not None and masked.size:
        foreground = tuple(_of_counts(np.bincount(channel[masked], minlength=256)) for channel in flat)
    else:
        foreground = tuple(_of_counts(_above_minimum(channel)) for channel in counts)
    total = counts.sum(axis=0)
    mean, std, low, high = _of_counts(total)
    present = np.flatnonzero(total)
    moments = Moments(float(present[0]), float(present[-1]), mean, std, bad=0)
    return moments, [low, _percentile_of_counts(total, 0.5), high], foreground


def _above_minimum(counts: Array) -> Array:
    """The histogram without its lowest value, unless that is all there is."""
    present = np.flatnonzero(counts)
    if present.size < 2:
        return counts
    rest = counts.copy()
    rest[present[0]] = 0
    return rest


def _of_counts(counts: Array) -> Quartet:
    values = np.arange(counts.size)
    number = counts.sum()
    mean = float(counts @ values) / number
    std = math.sqrt(float(counts @ (values - mean) ** 2) / number)
    return float(mean), std, _percentile_of_counts(counts, 0.005), _percentile_of_counts(counts, 0.995)


def _percentile_of_counts(counts: Array, share: float) -> float:
    below = counts.cumsum()
    return float(np.searchsorted(below, share * (below[-1] - 1) + 1e-9, side="right"))


def _sampled(array: Array, masked: Array | None) -> tuple[Moments, list[float], tuple[Quartet, ...]]:
    """Exact moments over all values; percentiles over a sub-sample."""
    moments = _moments(array.reshape(-1))
    sample = _finite(_strided(array.reshape(-1), array.shape[-1]))
    low, median, high = np.percentile(sample, (0.5, 50, 99.5)).tolist() if sample.size else (0.0, 0.0, 0.0)
    foreground = tuple(_foreground(channel, masked, array.shape[-1]) for channel in array.reshape(array.shape[0], -1))
    return moments, [low, median, high], foreground


def _moments(flat: Array) -> Moments:
    """Mean and deviation by the pairwise update of Chan, Golub and LeVeque (1983), a chunk at a time."""
    number, mean, squares, bad = 0, 0.0, 0.0, 0
    minimum, maximum = math.inf, -math.inf
    for start in range(0, flat.size, CHUNK):
        chunk = flat[start : start + CHUNK].astype(np.float64)
        values = _finite(chunk)
        bad += chunk.size - values.size
        if not values.size:
            continue
        minimum, maximum = min(minimum, float(values.min())), max(maximum, float(values.max()))
        centre = float(values.mean())
        values -= centre
        total = number + values.size
        squares += float(values @ values) + (centre - mean) ** 2 * number * values.size / total
        mean += (centre - mean) * values.size / total
        number = total
    if not number:
        return Moments(0.0, 0.0, 0.0, 0.0, bad)
    return Moments(minimum, maximum, mean, math.sqrt(squares / number), bad)


def _strided(flat: Array, width: int) -> Array:
    """At least `SAMPLE` values whose stride shares no factor with the row length, so that they are not one column."""
    stride = max(1, flat.size // SAMPLE)
    while math.gcd(stride, width) > 1:
        stride -= 1
    return flat[::stride]


def _finite(values: Array) -> Array:
    if values.dtype.kind != "f":
        return values
    finite = np.isfinite(values)
    return values if finite.all() else values[finite]


def _foreground(channel: Array, masked: Array | None, width: int) -> Quartet:
    if masked is not None and masked.size:
        values = _finite(channel[masked[:: max(1, masked.size // SAMPLE)]])
    else:
        values = _finite(_strided(channel, width))
        inside = values[values > values.min()] if values.size else values
        values = inside if inside.size else values
    if not values.size:
        return 0.0, 0.0, 0.0, 0.0
    values = values.astype(np.float64)
    low, high = np.percentile(values, (0.5, 99.5)).tolist()
    return float(values.mean()), float(values.std()), low, high


def _thumbnail(array: Array, low: float, high: float) -> npt.NDArray[np.uint8]:
    """The middle slice in grey: 8-bit as it is, others from their 0.5 to their 99.5 percentile."""
    middle = array[:, array.shape[1] // 2]
    if array.dtype == np.uint8 and len(middle) == 1:
        grey = middle[0]
    elif array.dtype == np.uint8 and len(middle) == 3:
        # ITU-R BT.601 luma in 8-bit fixed point
        red, green, blue = middle.astype(np.uint16)
        grey = ((77 * red + 150 * green + 29 * blue) >> 8).astype(np.uint8)
    else:
        plain = np.nan_to_num(middle.astype(np.float32), nan=low, posinf=high, neginf=low).mean(axis=0)
        grey = np.clip((plain - low) * (255.0 / max(high - low, 1e-12)), 0, 255).astype(np.uint8)
    small = Picture.fromarray(np.ascontiguousarray(grey)).resize((SIDE, SIDE), Picture.Resampling.BILINEAR)
    return np.asarray(small, dtype=np.uint8)


def _border(thumbnail: npt.NDArray[np.uint8]) -> Quartet:
    edges = (thumbnail[:2], thumbnail[-2:], thumbnail[:, :2], thumbnail[:, -2:])
    top, bottom, left, right = (float(edge.mean()) / 255 for edge in edges)
    return top, bottom, left, right
