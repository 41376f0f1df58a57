"""An image of which nobody said what it is: scaled by itself, shown by percentiles, never mirrored."""

from __future__ import annotations

from collections.abc import Mapping

from diascope.core.image import Image
from diascope.modalities import IntensityRule, Modality, Window
from diascope.modalities.quality import values


class Unknown:
    """No knowledge, hence only what is wrong with any image."""

    dicom_codes: tuple[str, ...] = ("OT",)
    unit: str = "a.u."
    intensity: IntensityRule = "scale"
    windows: tuple[Window, ...] = ()
    mirror: bool = False

    def quality(self, image: Image) -> Mapping[str, str]:
        """Values that are no numbers, or one number."""
        return values.failed(not_finite=values.not_finite(image), constant=values.constant(image))


MODALITY: Modality = Unknown()
