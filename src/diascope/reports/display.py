"""How an image is put on a screen: its window, its orientation, its proportions."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from diascope.core import registry
from diascope.core.geometry import Geometry
from diascope.core.image import Image
from diascope.modalities import Modality

SMALLEST, LARGEST = 384, 512
"""Pixels of the longer side: smaller images are enlarged, larger ones reduced."""
ACROSS_AND_DOWN = {2: (0, 1), 1: (0, 2), 0: (1, 2)}
"""Patient axis (0 = x, 1 = y, 2 = z) of the slice's normal to those shown across and down: axial, coronal, sagittal."""
LEFT_MARK = {0: "R", 1: "A"}
TOP_MARK = {1: "A", 2: "S"}


@dataclass(frozen=True)
class View:
    """How array axes (1, 2) become rows and columns of a picture.

    Args:
        swap: Rows and columns change places first.
        upside_down: Rows are then reversed.
        mirrored: Columns are then reversed.
        left: Letter of the patient's side at the left edge; empty where it is not known.
        top: Letter of the patient's side at the top edge.
    """

    swap: bool
    upside_down: bool
    mirrored: bool
    left: str
    top: str

    def turn(self, pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """(Y, X) or (Y, X, 3) as it is shown."""
        turned = pixels.swapaxes(0, 1) if self.swap else pixels
        turned = turned[::-1] if self.upside_down else turned
        return np.ascontiguousarray(turned[:, ::-1] if self.mirrored else turned)


def view_of(image: Image) -> View:
    """The radiological view of slices along array axis 0; flat and unphysical images stay as they are stored."""
    if image.is_flat or not image.geometry.physical:
        return View(False, False, False, "", "")
    directions = image.geometry.directions
    normal, _, column_axis = _patient_axes(image.geometry)
    across, down = ACROSS_AND_DOWN[normal]
    swap = column_axis != across
    over, under = (1, 2) if swap else (2, 1)
    mirrored = directions[across, over] < 0
    grows_down = directions[down, under] > 0
    upside_down = grows_down if down == 2 else not grows_down
    return View(swap, bool(upside_down), bool(mirrored), LEFT_MARK[across], TOP_MARK[down])


def _patient_axes(geometry: Geometry) -> tuple[int, int, int]:
    """The patient axis that each array axis runs along most, each axis once."""
    weight = np.abs(geometry.directions)
    best = max(permutations(range(3)), key=lambda axes: sum(weight[axes[k], k] for k in range(3)))
    return best[0], best[1], best[2]


def pixel_size(image: Image, view: View) -> tuple[int, int]:
    """(width, height) of the picture in pixels, in the true proportions of the slice."""
    _, step_y, step_x = image.geometry.steps
    height, width = image.shape[1] * step_y, image.shape[2] * step_x
    stored = max(image.shape[1:])
    if view.swap:
        height, width = width, height
    longer = min(max(stored, SMALLEST), LARGEST)
    scale = longer / max(height, width)
    return max(1, round(width * scale)), max(1, round(height * scale))


def grey_or_colour(image: Image, index: int, view: View) -> npt.NDArray[np.uint8]:
    """One slice as (Y, X, 3) bytes: the modality's first window, or percentiles of the image."""
    if _is_colour(image):
        pixels = view.turn(np.moveaxis(image.array[:, index], 0, -1))
        if image.array.dtype == np.uint8:
            return np.asarray(pixels, dtype=np.uint8)
        low, high = 0.0, 255.0
        if float(np.nanmax(image.array)) <= 1.0 or float(np.nanmin(image.array)) < 0:
            low, high = _percentiles(image.array)
    else:
        pixels = np.repeat(view.turn(image.array[0, index])[..., None], 3, axis=-1)
        low, high = display_range(image)
    known = np.nan_to_num(pixels.astype(np.float32), nan=low, posinf=high, neginf=low)
    shown = ((known - low) / (high - low)).clip(0, 1)
    return np.asarray((shown * 255).round(), dtype=np.uint8)


def display_range(image: Image) -> tuple[float, float]:
    """Values shown as black and as white.

    The first window of the modality where the image is in that modality's unit, else the 0.5 and 99.5 percentiles.
    """
    modality: Modality | None = None
    if image.modality in registry.names("modalities"):
        modality = registry.get("modalities", image.modality)
    if modality is not None and modality.windows and modality.unit == image.unit:
        window = modality.windows[0]
        return window.centre - window.width / 2, window.centre + window.width / 2
    return _percentiles(image.array[0])


def _percentiles(values: npt.NDArray[Any]) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    if not known.size:
        return 0.0, 1.0
    low, high = (float(end) for end in np.percentile(known[:: max(1, known.size // 200_000)], (0.5, 99.5)))
    if high <= low:
        low, high = float(known.min()), float(known.max())
    return (low, high) if high > low else (low, low + 1.0)


def _is_colour(image: Image) -> bool:
    """Three channels of bytes, or of a modality that photographs; three MR sequences are not red, green and blue."""
    if image.channels != 3:
        return False
    if image.array.dtype == np.uint8:
        return True
    if image.modality in registry.names("modalities"):
        plugin: Modality = registry.get("modalities", image.modality)
        return plugin.intensity == "rgb"
    return False


def mark_orientation(picture: Pillow.Image, view: View) -> Pillow.Image:
    """The letters of the patient's sides at the left and the top edge, where they are known."""
    if not view.left:
        return picture
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(size=14)
    width, height = picture.size
    places = ((view.left, (5, height // 2), "lm"), (view.top, (width // 2, 5), "mt"))
    for letter, place, anchor in places:
        draw.text(place, letter, fill="#ffffff", font=font, anchor=anchor, stroke_width=1, stroke_fill="#000000")
    return picture
