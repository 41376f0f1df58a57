"""Visible light: dermoscopy, endoscopy, fundus, microscopy."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from diascope.core.image import Image
from diascope.modalities import IntensityRule, Modality, Window
from diascope.modalities.quality import values


class Photograph:
    """Colour pictures with values 0 to 255; colour carries the diagnosis, so channels keep their fixed range."""

    dicom_codes: tuple[str, ...] = ("XC", "ES", "GM", "SM", "OP", "DMS")
    unit: str = "grey"
    intensity: IntensityRule = "rgb"
    windows: tuple[Window, ...] = (Window("full range", 127.5, 255),)
    mirror: bool = True

    def quality(self, image: Image) -> Mapping[str, str]:
        """Over- and under-exposure, blur."""
        return values.failed(
            not_finite=values.not_finite(image),
            constant=values.constant(image),
            overexposed=values.clipped(image, 0.25),
            dark=_dark(image),
            blurred=_blurred(image),
        )


def _grey(image: Image) -> npt.NDArray[np.float32]:
    """(Y, X) mean of the channels of the middle slice."""
    return np.asarray(image.array[:, image.shape[0] // 2].mean(0), dtype=np.float32)


def _dark(image: Image) -> str | None:
    bright = float(np.nanpercentile(_grey(image), 99))
    return f"99 % of the pixels are below {bright:.0f} of 255" if bright < 30 else None


def _blurred(image: Image) -> str | None:
    """Share of the contrast that survives at one pixel: the deviation of the Laplacian over that of the picture."""
    grey = _grey(image)
    if min(grey.shape) < 16 or grey.std() == 0:
        return None
    inner = grey[1:-1, 1:-1]
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * inner
    sharpness = float(laplacian.std() / grey.std())
    return (
        f"contrast between neighbouring pixels is {sharpness:.3f} of the whole: out of focus"
        if sharpness < 0.01
        else None
    )


MODALITY: Modality = Photograph()
