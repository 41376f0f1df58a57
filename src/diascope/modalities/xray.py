"""Projection X-ray: radiographs, mammograms, fluoroscopy."""

from __future__ import annotations

from collections.abc import Mapping

from diascope.core.image import Image
from diascope.modalities import IntensityRule, Modality, Window
from diascope.modalities.quality import values


class Projection:
    """Films: grey values after the maker's own processing; a printed letter tells the side, so never mirrored."""

    dicom_codes: tuple[str, ...] = ("CR", "DX", "MG", "RF", "XA", "RG", "IO", "PX")
    unit: str = "a.u."
    intensity: IntensityRule = "scale"
    windows: tuple[Window, ...] = ()
    mirror: bool = False

    def quality(self, image: Image) -> Mapping[str, str]:
        """Saturated films: nothing can be seen where the detector was at its end."""
        return values.failed(
            not_finite=values.not_finite(image),
            constant=values.constant(image),
            saturated=values.clipped(image, 0.10),
        )


MODALITY: Modality = Projection()
