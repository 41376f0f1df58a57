"""Positron emission tomography: activity concentration, zero where there is no tracer."""

from __future__ import annotations

from collections.abc import Mapping

from diascope.core.image import Image
from diascope.modalities import IntensityRule, Modality, Window
from diascope.modalities.quality import values


class Positron:
    """PET in Bq/mL or, where the unit says `g/mL`, SUV; two scales, so there is no preset: percentiles are shown."""

    dicom_codes: tuple[str, ...] = ("PT",)
    unit: str = "Bq/mL"
    intensity: IntensityRule = "window"
    windows: tuple[Window, ...] = ()
    mirror: bool = True

    def quality(self, image: Image) -> Mapping[str, str]:
        """Negative activity, slices without a picture."""
        return values.failed(
            not_finite=values.not_finite(image),
            constant=values.constant(image),
            negative=values.negative(image),
            empty_slices=values.empty_slices(image),
            repeated_slices=values.repeated_slices(image),
        )


MODALITY: Modality = Positron()
