"""Magnetic resonance: arbitrary units that differ from scan to scan."""

from __future__ import annotations

from collections.abc import Mapping

from diascope.core.image import Image
from diascope.modalities import IntensityRule, Modality, Window
from diascope.modalities.quality import values


class MagneticResonance:
    """MR: values mean nothing apart from their own image, so each image is scaled by itself."""

    dicom_codes: tuple[str, ...] = ("MR",)
    unit: str = "a.u."
    intensity: IntensityRule = "z-score"
    windows: tuple[Window, ...] = ()
    mirror: bool = True

    def quality(self, image: Image) -> Mapping[str, str]:
        """Clipped conversions (a common fault of exports to 8 bits), slices without a picture."""
        return values.failed(
            not_finite=values.not_finite(image),
            constant=values.constant(image),
            clipped=values.clipped(image, 0.02),
            empty_slices=values.empty_slices(image),
            repeated_slices=values.repeated_slices(image),
        )


MODALITY: Modality = MagneticResonance()
