"""Computed tomography: Hounsfield units (water 0, air -1000), the same scale on every scanner."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from diascope.core.image import Image
from diascope.modalities import IntensityRule, Modality, Window
from diascope.modalities.quality import values


class ComputedTomography:
    """CT: absolute units, so that one window fits every case."""

    dicom_codes: tuple[str, ...] = ("CT",)
    unit: str = "HU"
    intensity: IntensityRule = "window"
    windows: tuple[Window, ...] = (
        Window("soft tissue", 40, 400),
        Window("lung", -600, 1500),
        Window("bone", 480, 2500),
        Window("brain", 40, 80),
        Window("liver", 60, 160),
        Window("mediastinum", 50, 350),
    )
    mirror: bool = True

    def quality(self, image: Image) -> Mapping[str, str]:
        """Values that no scanner gives, padding that was not marked, slices without a picture."""
        return values.failed(
            not_finite=values.not_finite(image),
            constant=values.constant(image),
            not_hounsfield=_not_hounsfield(image),
            padding=_padding(image),
            empty_slices=values.empty_slices(image),
            repeated_slices=values.repeated_slices(image),
        )


def _not_hounsfield(image: Image) -> str | None:
    """Air is near -1000 HU and metal saturates at 3071 HU (12 bits) or, on extended scales, at about 31 kHU."""
    low, high = float(np.nanmin(image.array)), float(np.nanmax(image.array))
    if high > 32767 or low < -9000:
        return f"values from {low:g} to {high:g} are outside any CT scale"
    if low >= 0 and high > low:
        return f"values from {low:g} to {high:g}: nothing is below water, so these are not Hounsfield units"
    if high < -300:
        return f"the highest value is {high:g}: there is no tissue in the image, or these are not Hounsfield units"
    return None


def _padding(image: Image) -> str | None:
    """Below air there is nothing: such values fill what lies outside the reconstruction circle."""
    part = float((image.array < -1100).mean())
    return f"{part:.1%} of the voxels are below -1100 HU: padding outside the field of view" if part > 0.001 else None


MODALITY: Modality = ComputedTomography()
