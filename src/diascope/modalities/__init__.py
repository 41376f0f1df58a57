"""Modalities: each module says how images of one kind are coded, scaled, shown and judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from diascope.core.image import Image

IntensityRule = Literal["window", "windows", "z-score", "scale", "grey", "rgb"]
"""`window`: clip to percentiles of the training foreground, then z-score with their mean and deviation (CT, physical
units); `z-score`: per image (MR); `scale`: per image, 0.5 to 99.5 percentiles to 0..1; `grey`/`rgb`: fixed 0..255."""


@dataclass(frozen=True)
class Window:
    """A display window: grey values from `centre - width / 2` to `centre + width / 2`."""

    name: str
    centre: float
    width: float


class Modality(Protocol):
    """What a file in this folder provides as `MODALITY`."""

    dicom_codes: tuple[str, ...]
    """Values of Modality (0008,0060)."""
    unit: str
    """UCUM or `HU`, `a.u.`."""
    intensity: IntensityRule
    windows: tuple[Window, ...]
    """Presets for display; empty means percentiles of the image."""
    mirror: bool
    """Whether left-right mirroring may be used as augmentation where the anatomy does not forbid it."""

    def quality(self, image: Image) -> Mapping[str, str]:
        """Name of a quality check to what it found, for those that failed (saturated, wrong range, ...)."""
        ...


def of_dicom_code(code: str) -> str:
    """Name of the modality plug-in for a DICOM modality code, `unknown` where there is none."""
    from diascope.core import registry

    for name, plugin in registry.each("modalities"):
        if code.upper() in plugin.dicom_codes:
            return name
    return "unknown"
