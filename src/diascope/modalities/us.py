"""Ultrasound: log-compressed echoes in 8 bits, often with letters and calipers burned in."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from diascope.core.image import Image
from diascope.modalities import IntensityRule, Modality, Window
from diascope.modalities.quality import values


class Ultrasound:
    """Ultrasound, still pictures and clips (frames along z)."""

    dicom_codes: tuple[str, ...] = ("US", "IVUS")
    unit: str = "a.u."
    intensity: IntensityRule = "scale"
    windows: tuple[Window, ...] = ()
    mirror: bool = True

    def quality(self, image: Image) -> Mapping[str, str]:
        """A frozen clip, too much gain, a probe without contact."""
        return values.failed(
            not_finite=values.not_finite(image),
            constant=values.constant(image),
            saturated=values.clipped(image, 0.10),
            dark=_dark(image),
            frozen=values.repeated_slices(image),
        )


def _dark(image: Image) -> str | None:
    """Without contact nearly everything is black."""
    low, high = float(np.nanmin(image.array)), float(np.nanmax(image.array))
    part = float((image.array <= low + 0.04 * (high - low)).mean())
    return f"{part:.1%} of the picture is black: no contact, or an empty frame" if part > 0.95 and high > low else None


MODALITY: Modality = Ultrasound()
