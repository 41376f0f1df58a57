"""The kinds of input: `Image`, `Signal`, `Table`, `Text`, `Sequence`. Plain numpy; torch begins in `transforms/`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy.typing as npt

from diascope.core.errors import DataRefused
from diascope.core.geometry import Geometry
from diascope.core.sequence import Sequence
from diascope.core.signal import Signal
from diascope.core.text import Text


@dataclass(frozen=True, eq=False)
class Image:
    """An image of any dimension: 2-D is Z = 1, a photograph has C = 3.

    Args:
        array: (C, Z, Y, X), any real dtype.
        geometry: Where voxel (z, y, x) is.
        modality: Name of the plug-in in `modalities/` ("ct", "mr", "xray", "us", "pt", "photo", ...).
        unit: "HU", "a.u.", "Bq/mL", "grey", ... ; for masks "label".
        attributes: Facts from the header that identify nobody (manufacturer, slice thickness, UIDs of the source).
        history: What was corrected while reading, in words; shown to the user.
    """

    array: npt.NDArray[Any]
    geometry: Geometry
    modality: str = "unknown"
    unit: str = "a.u."
    attributes: Mapping[str, Any] = field(default_factory=dict)
    history: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.array.ndim != 4 or 0 in self.array.shape:
            raise DataRefused("an image is a non-empty array (C, Z, Y, X)", given=f"shape {self.array.shape}")

    @property
    def shape(self) -> tuple[int, int, int]:
        """(Z, Y, X)."""
        z, y, x = self.array.shape[1:]
        return z, y, x

    @property
    def channels(self) -> int:
        """Number of channels C."""
        return int(self.array.shape[0])

    @property
    def is_flat(self) -> bool:
        """Whether this is a 2-D image (Z = 1)."""
        return self.shape[0] == 1

    def with_array(self, array: npt.NDArray[Any], geometry: Geometry | None = None, note: str = "") -> Self:
        """The same image with other voxels (and geometry), remembering `note`."""
        history = (*self.history, note) if note else self.history
        return replace(self, array=array, geometry=geometry or self.geometry, history=history)


@dataclass(frozen=True)
class Table:
    """One row of typed columns (laboratory results, clinical data); None is missing.

    Args:
        values: Column name to number, text or None.
        units: Column name to UCUM unit, for the numbers that have one.
    """

    values: Mapping[str, float | str | None]
    units: Mapping[str, str] = field(default_factory=dict)


Input = Image | Signal | Table | Text | Sequence
