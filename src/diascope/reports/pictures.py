"""Slices as pictures: the most telling one, in its window, at its true proportions, with overlays burnt in."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any, TypedDict, Unpack

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow
from scipy.ndimage import binary_fill_holes

from diascope.core.boxes import Boxes
from diascope.core.case import Label
from diascope.core.errors import DataRefused
from diascope.core.figure import Picture
from diascope.core.geometry import Geometry
from diascope.core.image import Image
from diascope.reports.colours import TRUTH_COLOUR, label_colour
from diascope.reports.display import View, grey_or_colour, mark_orientation, pixel_size, view_of
from diascope.reports.outlines import outlined

FILL = 0.32
THUMBNAIL = 160

Bytes = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]


class PictureParts(TypedDict, total=False):
    """What a picture may say besides its image and masks."""

    caption: str
    case: str
    heat: npt.NDArray[Any] | None
    """(Z, Y, X), any scale; drawn from transparent (lowest) to yellow (highest)."""
    index: int | None
    """Slice along array axis 0; None picks the most telling one."""
    boxes: Boxes | None
    """What the model said: outlined in the colour of the label, with its probability."""
    true_boxes: Boxes | None
    """The reference: outlined in yellow."""


def slice_picture(
    image: Image,
    mask: Image | None = None,
    truth: Image | None = None,
    labels: Sequence[Label] = (),
    **parts: Unpack[PictureParts],
) -> Picture:
    """One slice of an image as a picture with its overlays.

    Slices of volumes with millimetres are shown as radiologists look at them: the patient's right on the left of the
    picture, front or head up (PS3.3 C.7.6.2.1.1 gives the axes). Flat images are shown as they are stored.

    Args:
        image: What is shown; its first channel, or all three of a colour image.
        mask: What the model said: label values, filled and outlined in the colour of the label.
        truth: The reference: label values, outlined in yellow.
        labels: Names of the label values; without them every value that occurs is drawn.
        **parts: `caption`, `case`, `heat`, `index`, `boxes` and `true_boxes`, as in `PictureParts`.

    Returns:
        The picture as a record, at least 256 pixels along its longer side.

    Raises:
        DataRefused: When a mask or the heat has another shape than the image, or there is no such slice.
    """
    heat, index = parts.get("heat"), parts.get("index")
    said, known = _values(mask, image, "mask"), _values(truth, image, "truth")
    boxes = [one for one in (parts.get("boxes"), parts.get("true_boxes")) if one is not None]
    if heat is not None and heat.shape != image.shape:
        raise DataRefused("a heat map must have the shape of its image", given=f"{heat.shape} for {image.shape}")
    at = telling_slice(image, said, known, heat, boxes) if index is None else index
    if not 0 <= at < image.shape[0]:
        raise DataRefused(f"the image has slices 0 to {image.shape[0] - 1}", given=f"slice {at}")
    view = view_of(image)
    size = pixel_size(image, view)
    canvas = _resized(grey_or_colour(image, at, view), size, Pillow.Resampling.BICUBIC).astype(np.float32)
    if heat is not None:
        canvas = _with_heat(canvas, heat, view.turn(heat[at]), size)
    legend: list[tuple[str, str]] = []
    if said is not None:
        canvas, legend = _with_mask(canvas, view.turn(said[at]), size, _drawn_labels(labels, said))
    if known is not None:
        canvas = _with_truth(canvas, view.turn(known[at]), size, _drawn_labels(labels, known))
        legend.append(("truth (outline)", TRUTH_COLOUR))
    drawn, more = outlined(Pillow.fromarray(canvas.round().astype(np.uint8)), (image, at, view), labels, parts)
    legend += more
    finished = mark_orientation(drawn, view)
    return Picture(
        png=png_of(finished), caption=parts.get("caption", ""), case=parts.get("case", ""), legend=tuple(legend)
    )


def thumbnail_png(array: npt.NDArray[Any]) -> str:
    """A small picture of an array, as base64 of a PNG.

    Args:
        array: (Y, X), (Z, Y, X) or (C, Z, Y, X); the middle slice is shown, in its own range of values.

    Returns:
        Base64 text; the longer side has 160 pixels.

    Raises:
        DataRefused: When the array has another number of axes, or is empty.
    """
    if array.ndim not in (2, 3, 4) or array.size == 0:
        raise DataRefused("a thumbnail needs an array (Y, X), (Z, Y, X) or (C, Z, Y, X)", given=f"shape {array.shape}")
    whole = array.reshape((1,) * (4 - array.ndim) + array.shape)
    image = Image(whole, Geometry.unknown())
    pixels = grey_or_colour(image, whole.shape[1] // 2, View(False, False, False, "", ""))
    height, width = pixels.shape[:2]
    scale = THUMBNAIL / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return png_of(Pillow.fromarray(_resized(pixels, size, Pillow.Resampling.BICUBIC)))


def telling_slice(
    image: Image,
    said: npt.NDArray[Any] | None,
    known: npt.NDArray[Any] | None,
    heat: npt.NDArray[Any] | None,
    boxes: Sequence[Boxes] = (),
) -> int:
    """The slice along axis 0 with the most mask or boxes (said, true), else most heat in the body, else the middle.

    Of a box of several slices its middle shows most: it counts as an ellipsoid does.
    """
    slices = image.shape[0]
    amount = np.zeros(slices)
    for corners in (corners for one in boxes for corners in one.corners):
        middle, half = (corners[0] + corners[3]) / 2, max((corners[3] - corners[0]) / 2, 0.5)
        amount += np.clip(1 - ((np.arange(slices) + 0.5 - middle) / half) ** 2, 0, None)
    for values in (said, known):
        if values is not None:
            amount += (values > 0).sum(axis=(1, 2))
    if not amount.any() and heat is not None:
        known_heat = np.where(np.isfinite(heat), heat, 0).astype(np.float64)
        inside = (known_heat * _body(image)).sum(axis=(1, 2)) if slices > 1 else amount
        amount = inside if inside.any() else known_heat.sum(axis=(1, 2))
    if amount.max() <= 0:
        return slices // 2
    return int(amount.argmax())


def _body(image: Image) -> Bools:
    """What is brighter than the air around the patient (Otsu 1979), with what it encloses in each slice (lungs)."""
    values = image.array[0].astype(np.float64)
    values = np.where(np.isfinite(values), values, 0.0)
    bright = values > _between(values)
    return np.stack([binary_fill_holes(one) for one in bright])


def _between(values: npt.NDArray[np.float64]) -> float:
    """The value that parts a histogram into the two groups that differ most."""
    counts, edges = np.histogram(values, bins=256)
    middles = (edges[:-1] + edges[1:]) / 2
    below, total = np.cumsum(counts)[:-1], np.cumsum(counts * middles)
    above = counts.sum() - below
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = below * above * (total[:-1] / below - (total[-1] - total[:-1]) / above) ** 2
    return float(edges[1 + int(np.nanargmax(apart))]) if np.isfinite(apart).any() else float(edges[0])


def _values(mask: Image | None, image: Image, name: str) -> npt.NDArray[Any] | None:
    if mask is None:
        return None
    if mask.shape != image.shape:
        raise DataRefused(f"the {name} must have the shape of its image", given=f"{mask.shape} for {image.shape}")
    values: npt.NDArray[Any] = mask.array[0]
    return values


def _drawn_labels(labels: Sequence[Label], values: npt.NDArray[Any]) -> list[Label]:
    """Labels to draw, regions (which unite others) before their parts."""
    present = [int(value) for value in np.unique(values) if value > 0]
    if not labels:
        return [Label(name=str(value), value=value) for value in present]
    kept = [label for label in labels if label.value > 0]
    return sorted(kept, key=lambda label: -len(label.members))


def _region(values: npt.NDArray[Any], label: Label, size: tuple[int, int]) -> Bools:
    inside = np.isin(values, label.members) if label.members else values == label.value
    enlarged = Pillow.fromarray(inside.astype(np.uint8) * 255).resize(size, Pillow.Resampling.NEAREST)
    return np.asarray(enlarged) > 127


def _with_mask(
    canvas: npt.NDArray[np.float32], values: npt.NDArray[Any], size: tuple[int, int], labels: Sequence[Label]
) -> tuple[npt.NDArray[np.float32], list[tuple[str, str]]]:
    legend = []
    for label in labels:
        region, colour = _region(values, label, size), _rgb(label_colour(label.value))
        canvas[region] = (1 - FILL) * canvas[region] + FILL * colour
        canvas[_edge(region, 1)] = colour
        legend.append((label.name, label_colour(label.value)))
    return canvas, legend


def _with_truth(
    canvas: npt.NDArray[np.float32], values: npt.NDArray[Any], size: tuple[int, int], labels: Sequence[Label]
) -> npt.NDArray[np.float32]:
    for label in labels:
        canvas[_edge(_region(values, label, size), 2)] = _rgb(TRUTH_COLOUR)
    return canvas


def _edge(region: Bools, thickness: int) -> Bools:
    """The rim of a region, inside of it, `thickness` pixels wide (four neighbours)."""
    core = region
    for _ in range(thickness):
        padded = np.pad(core, 1)
        core = core & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return region & ~core


def _with_heat(
    canvas: npt.NDArray[np.float32], whole: npt.NDArray[Any], heat: npt.NDArray[Any], size: tuple[int, int]
) -> npt.NDArray[np.float32]:
    """Heat from transparent over violet and orange to yellow; the scale is that of the whole map."""
    known = whole[np.isfinite(whole)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    share = np.nan_to_num((heat.astype(np.float32) - low) / (high - low)) if high > low else np.zeros_like(heat)
    enlarged = np.asarray(Pillow.fromarray(share.astype(np.float32)).resize(size, Pillow.Resampling.BILINEAR))
    enlarged = enlarged.clip(0, 1)
    stops = np.array([0.0, 0.35, 0.7, 1.0])
    colours = np.array([[40, 10, 84], [137, 34, 106], [240, 112, 32], [252, 255, 164]], dtype=np.float32)
    tint = np.stack([np.interp(enlarged, stops, colours[:, channel]) for channel in range(3)], axis=-1)
    opacity = (0.75 * np.sqrt(enlarged))[..., None]
    return np.asarray((1 - opacity) * canvas + opacity * tint, dtype=np.float32)


def _rgb(colour: str) -> npt.NDArray[np.float32]:
    return np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)], dtype=np.float32)


def _resized(pixels: Bytes, size: tuple[int, int], method: Pillow.Resampling) -> Bytes:
    return np.asarray(Pillow.fromarray(pixels).resize(size, method))


def png_of(picture: Pillow.Image) -> str:
    """Base64 of a PNG."""
    stream = io.BytesIO()
    picture.save(stream, format="PNG", optimize=True)
    return base64.b64encode(stream.getvalue()).decode()
