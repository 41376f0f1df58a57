"""Regions of a structured report: in columns and rows of one slice, as PS3.3 C.18.6.1.1 counts them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import highdicom as hd
import numpy as np

from diascope.core.finding import Place
from diascope.formats.dicomio.stack import Slice, Stack


def rectangle(one: Slice, edges: tuple[float, float, float, float], datasets: Sequence[Any]) -> Any:
    """A rectangle on one slice.

    Args:
        one: The slice.
        edges: Top, left, bottom, right, in pixels from the upper left corner of the upper left pixel.
        datasets: Headers of the source, the slice's among them.
    """
    top, left, bottom, right = edges
    dataset = next(data for data in datasets if data.SOPInstanceUID == one.instance.sop_uid)
    frames = [one.frame + 1] if "NumberOfFrames" in dataset and int(dataset.NumberOfFrames) > 1 else None
    return hd.sr.ImageRegion(
        graphic_type=hd.sr.GraphicTypeValues.POLYLINE,
        graphic_data=np.array([[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]),
        source_image=hd.sr.SourceImageForRegion.from_source_image(dataset, frames),
    )


def rectangles(place: Place, stacked: Stack, datasets: Sequence[Any]) -> list[Any]:
    """A box as one rectangle on each of its slices; none where the box was not said on the slices themselves."""
    depth, first = len(stacked.slices), stacked.slices[0].instance
    (z0, y0, x0), (z1, y1, x1) = place.start, place.stop
    inside = 0 <= z0 < z1 <= depth and 0 <= y0 < y1 <= first.rows and 0 <= x0 < x1 <= first.columns
    if stacked.tilt or not inside:  # a tilted volume is read on an upright grid of its own
        return []
    return [rectangle(stacked.slices[z], (y0, x0, y1, x1), datasets) for z in range(z0, z1)]
