"""Display windows of frames: the sender's own first, then those of the modality, then one made of the values."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from diascope.core import registry
from diascope.formats.dicomio.frames import Frames
from diascope.formats.dicomio.values import is_turned, stored_range, unit_of
from diascope.modalities import Window, of_dicom_code

SENT = "as sent"
AUTOMATIC = "automatic"
ENDS = (1.0, 99.0)
"""Percentiles of the frame in the middle that the automatic window spans."""

COLOURS = Window("full range", 127.5, 255.0)


def windows(frames: Frames, sent: Mapping[str, Any], middle: npt.NDArray[Any]) -> list[Window]:
    """Windows for display; the first one is to be shown first. There is always one.

    Args:
        frames: What is shown.
        sent: Attributes of the instance in the middle, as the index keeps them.
        middle: Values of the frame in the middle.
    """
    if frames.samples == 3:
        return [COLOURS]
    found = [*_sent(frames, sent)]
    plugin = registry.get("modalities", of_dicom_code(frames.first.modality))
    if plugin.unit == unit_of(frames.first):
        found += plugin.windows
    return [*found, automatic(middle)]


def automatic(values: npt.NDArray[Any]) -> Window:
    """A window that spans nearly all of some values."""
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    low, high = (float(one) for one in np.percentile(finite, ENDS)) if finite.size else (0.0, 1.0)
    if high <= low:  # mostly background
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    return Window(AUTOMATIC, (low + high) / 2, max(high - low, 1e-6 if values.dtype.kind == "f" else 1.0))


def _sent(frames: Frames, sent: Mapping[str, Any]) -> Iterator[Window]:
    """The windows of the header, turned where the values are (PS3.3 C.11.2.1.2)."""
    one = frames.slices[len(frames.slices) // 2]
    if one.instance.value_table:
        return
    centres, widths = _numbers(sent.get("WindowCenter")), _numbers(sent.get("WindowWidth"))
    for number, (centre, width) in enumerate(zip(centres, widths, strict=False), 1):
        if width < 1e-6:
            continue
        if is_turned(one.instance):
            low, high = stored_range(one.instance.bits_stored, one.instance.signed)
            centre = (low + high) * one.plane.slope + 2 * one.plane.intercept - centre
        yield Window(SENT if number == 1 else f"{SENT} {number}", centre, width)


def _numbers(said: object) -> list[float]:
    r"""Numbers of a text such as `40\\400`; none where one of them is none."""
    try:
        found = [float(part) for part in str(said or "").split("\\") if part.strip()]
    except ValueError:
        return []
    return found if all(math.isfinite(one) for one in found) else []
