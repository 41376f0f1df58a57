"""What is known of each case after it was read once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from diascope.kinds import Look


@dataclass(frozen=True)
class InputFactsOfCase:
    """Facts of one image input of one case.

    Args:
        shape: (Z, Y, X).
        channels: C.
        steps: Lengths (z, y, x) of a voxel: mm if `physical`.
        physical: Whether millimetres exist.
        dtype: As stored.
        modality: Name of the modality plug-in.
        unit: Unit of the values.
        digest: SHA-256 of shape and values (as float32), so that the same pixels in another file agree.
        file_bytes: Size of the file or files.
        low, median, high: 0.5, 50 and 99.5 percentiles over all voxels and channels (of a strided sub-sample of at
            least 32,768 values where there are more and they are not 8-bit).
        minimum, maximum, mean, std: Over the finite voxels.
        bad: Number of NaN or infinite voxels.
        foreground: Per channel (mean, std, 0.5 %, 99.5 %) over masked voxels, or over those above the channel's
            minimum where no voxel is masked (sub-sampled likewise).
        thumbnail: (64, 64) uint8 of the middle slice (grey), for hashes and pictures.
        border: Mean grey (0..1) of the four borders of the thumbnail: top, bottom, left, right.
        attributes: From the header, without identity.
        history: What was corrected on reading.
        file_digest: SHA-256 of the bytes of the file or files, to notice one that changes later.
        coloured: Whether it is a flat picture whose three channels differ in a good part of it.
        apart: Why it cannot be brought to the grid of the case's first input; empty where it can.
    """

    shape: tuple[int, int, int]
    channels: int
    steps: tuple[float, float, float]
    physical: bool
    dtype: str
    modality: str
    unit: str
    digest: str
    file_bytes: int
    low: float
    median: float
    high: float
    minimum: float
    maximum: float
    mean: float
    std: float
    bad: int
    foreground: tuple[tuple[float, float, float, float], ...]
    thumbnail: npt.NDArray[np.uint8]
    border: tuple[float, float, float, float]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    history: tuple[str, ...] = ()
    file_digest: str = ""
    coloured: bool = False
    apart: str = ""


@dataclass(frozen=True)
class MaskFacts:
    """Facts of one mask: voxels of each value, and whether it lies on the case's first image input."""

    counts: Mapping[int, int]
    shape: tuple[int, int, int]
    geometry_differs: str = ""
    """Why the mask does not lie on the image; empty where it does."""
    history: tuple[str, ...] = ()
    """What was corrected on reading."""
    across: Mapping[int, float] = field(default_factory=dict)
    """Mean place of each value but 0 across the upright image: from -0.5 (first column, the patient's right where
    millimetres exist) to 0.5."""


@dataclass(frozen=True)
class PairFacts:
    """Facts of a target image, beside those of the case's first image input.

    Args:
        image: Of the target image itself, as it lies on the input.
        apart: Why the two are no pair; empty where they are.
        differs: Mean absolute difference of input and target; nan where they are no pair, or the input has colour.
        varies: Mean absolute difference of the target from its own median.
    """

    image: InputFactsOfCase
    apart: str
    differs: float
    varies: float


@dataclass(frozen=True)
class CaseFacts:
    """What was seen of one case.

    `seconds` is what reading and measuring it took, `looks` are inputs without space, `pairs` targets that are images.
    """

    inputs: Mapping[str, InputFactsOfCase]
    masks: Mapping[str, MaskFacts]
    seconds: float
    looks: Mapping[str, Look] = field(default_factory=dict)
    pairs: Mapping[str, PairFacts] = field(default_factory=dict)
