"""What a viewer is told of the frames of a series before it asks for their values."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from diascope.formats.dicomio.frames import Frames
from diascope.formats.dicomio.values import unit_of
from diascope.modalities import of_dicom_code
from diascope.serve.viewing.series import Opened
from diascope.serve.viewing.windows import windows


def described(series: Opened, number: int) -> dict[str, Any]:
    """The grid, the values and the windows of a part of a series.

    Args:
        series: Opened.
        number: Of the part, from 1.

    Raises:
        Missing: When there is no such part.
        UnreadableFile: When the frame in the middle can't be decoded.
    """
    frames = series.part(number)
    half = len(frames.slices) // 2
    middle = series.read(number, range(half, half + 1))
    sent = series.attributes.get(frames.slices[half].instance.sop_uid, {})
    count, rows, columns = frames.shape
    geometry, spacing = frames.geometry, frames.spacing
    return {
        "part": number,
        "parts": [_part(at, one) for at, one in enumerate(series.parts, 1)],
        "modality": of_dicom_code(frames.first.modality),
        "unit": unit_of(frames.first),
        "count": count,
        "rows": rows,
        "columns": columns,
        "samples": frames.samples,
        "type": frames.dtype.name,
        "affine": None if geometry is None else geometry.affine.tolist(),
        "why": frames.why,
        "physical": spacing is not None if geometry is None else geometry.physical,
        "spacing": spacing,
        "frame_of_reference": frames.first.frame_of_reference,
        "windows": [vars(one) for one in windows(frames, sent, middle)],
        "range": _range(middle),
        "remarks": list(frames.remarks),
        "instances": [{"uid": one.instance.sop_uid, "frame": one.frame + 1} for one in frames.slices],
    }


def _part(number: int, frames: Frames) -> dict[str, Any]:
    count, rows, columns = frames.shape
    return {"part": number, "name": frames.name, "count": count, "rows": rows, "columns": columns}


def _range(values: npt.NDArray[Any]) -> tuple[float, float]:
    """The smallest and the largest finite value."""
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
