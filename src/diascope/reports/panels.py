"""Images of one place side by side: the input, what it should become, what was made of it, and the difference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from diascope.core.figure import Picture
from diascope.core.image import Image
from diascope.reports.display import View, display_range, grey_or_colour, mark_orientation, pixel_size, view_of
from diascope.reports.numbers import plain
from diascope.reports.pictures import png_of, telling_slice

GAP = 4
"""Pixels between panels."""
WIDE = 300
"""Pixels of a panel's longer side."""
EXTREME = 99.5
"""Percentile of the absolute difference that is black or white."""
Bytes = npt.NDArray[np.uint8]


def panels(pair: tuple[Image, Image], target: Image | None, case: str) -> Picture:
    """Input, target, what was made, and the difference of the last two, in one window; without a target input and made.

    The slice is the one in which made and target differ most inside of the body, else the middle one.

    Args:
        pair: The input and what was made of it, on one grid.
        target: What should have been made, on the same grid and in the same unit; None where nobody knows.
        case: Id of the case.
    """
    image, made = pair
    wrong = None if target is None else made.array[0].astype(np.float64) - target.array[0]
    heat = None if wrong is None else np.abs(np.nan_to_num(wrong))
    at = telling_slice(made if target is None else target, None, None, heat)
    view = view_of(made)
    ends = display_range(made if target is None else target)
    alike = image.unit == made.unit and image.channels == 1
    first = _grey(image, at, view, ends) if alike else grey_or_colour(image, at, view)
    shown = [first, *(_grey(one, at, view, ends) for one in (target, made) if one is not None)]
    names = "input, made" if target is None else "input, target, made"
    if wrong is not None:
        limit = float(np.percentile(np.abs(wrong[np.isfinite(wrong)]), EXTREME)) if np.isfinite(wrong).any() else 0.0
        limit = limit or 1.0
        shown.append(_grey(made.with_array(wrong[None]), at, view, (-limit, limit)))
        error = plain(float(np.nanmean(np.abs(wrong))))
        names += f", made minus target (grey is 0, white {plain(limit)} {made.unit})"
        names += f" · mean absolute error {error} {made.unit}"
    return Picture(png=png_of(_row(shown, made, view)), caption=names, case=case)


def _grey(image: Image, at: int, view: View, ends: tuple[float, float]) -> Bytes:
    """One slice as (Y, X, 3) bytes between two values."""
    low, high = ends
    values = np.nan_to_num(view.turn(image.array[0, at]).astype(np.float64), nan=low)
    grey = (((values - low) / ((high - low) or 1.0)).clip(0, 1) * 255).round().astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=-1)


def _row(shown: Sequence[Bytes], like: Image, view: View) -> Pillow.Image:
    width, height = pixel_size(like, view)
    scale = WIDE / max(width, height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    row = Pillow.new("RGB", (len(shown) * (size[0] + GAP) - GAP, size[1]), "#ffffff")
    for number, pixels in enumerate(shown):
        panel = Pillow.fromarray(pixels).resize(size, Pillow.Resampling.BICUBIC)
        row.paste(mark_orientation(panel, view) if number == 0 else panel, (number * (size[0] + GAP), 0))
    return row
