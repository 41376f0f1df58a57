"""One frame as a picture: windowed, cut out, scaled; inside the decoder child."""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image

from diascope.formats.dicomio.parsing import BrokenFileError, Parsed, frame_count
from diascope.formats.dicomio.pixels import meant_values, stored_frames

LARGEST_PICTURE = 1 << 26
"""Pixels of a frame that is drawn."""

SIGMOID, EXACT = "SIGMOID", "LINEAR_EXACT"
FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG"}


def draw(parsed: Parsed, request: dict[str, Any], out: BinaryIO) -> dict[str, Any]:
    """A picture of one frame (PS3.18 8.3.5).

    Args:
        parsed: The object.
        request: `frame` (from 0; None is the middle one), `window` (centre, width, function) or None, `region` (left,
            top, width, height of the source; negative widths and heights turn it) or None, `size` (columns, rows that
            it must fit into) or None, `kind` (media type), `quality` (1 to 100).
        out: Where the picture goes.

    Raises:
        BrokenFileError: When it has no pixels that can be drawn.
    """
    count = frame_count(parsed.dataset)
    index = count // 2 if request["frame"] is None else request["frame"]
    if not 0 <= index < count:
        raise BrokenFileError(f"it has {count} frames")
    pixels = _grey_or_colour(parsed, index, request["window"])
    picture = _placed(Image.fromarray(pixels), request["region"], request["size"])
    options = {"quality": request["quality"]} if request["kind"] == "image/jpeg" else {}
    picture.save(out, FORMATS[request["kind"]], **options)
    return {"size": list(picture.size)}


def _grey_or_colour(parsed: Parsed, index: int, window: list[Any] | None) -> npt.NDArray[np.uint8]:
    dataset = parsed.dataset
    if int(dataset.get("Rows") or 0) * int(dataset.get("Columns") or 0) > LARGEST_PICTURE:
        raise BrokenFileError("its frames are too large to be drawn")
    plain = parsed.plain_frames()
    if plain is not None:
        frame = plain[index]
    else:
        ((_, frame),) = stored_frames(parsed, parsed.load_pixels(), [index])
    values = meant_values(dataset, frame, inverted=False)
    if values.ndim == 3:
        return _bytes(values)
    inverse = dataset.get("PhotometricInterpretation") == "MONOCHROME1"
    shades = windowed(_rescaled(dataset, values, index), window or _own_window(dataset, index))
    return 255 - shades if inverse else shades


def _rescaled(dataset: Any, values: npt.NDArray[Any], index: int) -> npt.NDArray[np.float64]:
    if dataset.get("ModalityLUTSequence"):
        return values.astype(np.float64)
    group = _group(dataset, "PixelValueTransformationSequence", index)
    slope, intercept = (_first(group.get(name)) for name in ("RescaleSlope", "RescaleIntercept"))
    return values * (1.0 if slope is None else slope) + (intercept or 0.0)


def _own_window(dataset: Any, index: int) -> list[Any] | None:
    """The first window that the object names."""
    group = _group(dataset, "FrameVOILUTSequence", index)
    centre, width = _first(group.get("WindowCenter")), _first(group.get("WindowWidth"))
    if centre is None or width is None:
        return None
    return [centre, width, str(group.get("VOILUTFunction") or "LINEAR")]


def _group(dataset: Any, name: str, index: int) -> Any:
    """Where an enhanced object keeps such values of a frame; the data set itself in any other."""
    each = dataset.get("PerFrameFunctionalGroupsSequence") or []
    shared = dataset.get("SharedFunctionalGroupsSequence") or []
    for items in (each[index : index + 1], shared[:1]):
        for item in items:
            if found := item.get(name):
                return found[0]
    return dataset


def _first(value: Any) -> float | None:
    """The first number of a value, or None where there is none that makes sense."""
    if value is None or value == "":
        return None
    try:
        number = float(value[0] if hasattr(value, "__len__") and not isinstance(value, str) else value)
    except (ValueError, IndexError):
        return None
    return number if np.isfinite(number) else None


def windowed(values: npt.NDArray[np.float64], window: list[Any] | None) -> npt.NDArray[np.uint8]:
    """Values as shades from 0 to 255 (PS3.3 C.11.2.1.2, C.11.2.1.3).

    Args:
        values: After rescaling.
        window: Centre, width and function; None spans all values.
    """
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    centre, width, function = window or [(low + high) / 2, high - low, EXACT]
    if function == SIGMOID:
        shades = 255.0 / (1.0 + np.exp(np.clip(-4.0 * (values - centre) / max(width, 1e-9), -700, 700)))
    elif function == EXACT:
        shades = ((values - centre) / max(width, 1e-9) + 0.5) * 255.0
    else:
        shades = ((values - (centre - 0.5)) / max(width - 1.0, 1e-9) + 0.5) * 255.0
    known: npt.NDArray[np.float64] = np.nan_to_num(shades, nan=0.0, posinf=255.0, neginf=0.0)
    return np.clip(known, 0, 255).round().astype(np.uint8)


def _bytes(values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    if values.dtype == np.uint8:
        return values
    low, high = float(values.min()), float(values.max())
    return ((values - low) * (255.0 / max(high - low, 1e-9))).round().astype(np.uint8)


def _placed(picture: Image.Image, region: list[int] | None, size: list[int] | None) -> Image.Image:
    if region is not None:
        left, top, width, height = region
        box = (left, top, min(picture.width, left + abs(width)), min(picture.height, top + abs(height)))
        if box[0] >= box[2] or box[1] >= box[3]:
            raise BrokenFileError("the region lies outside of the picture")
        picture = picture.crop(box)
        if width < 0:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if height < 0:
            picture = picture.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    if size is None:
        return picture
    scale = min(size[0] / picture.width, size[1] / picture.height)
    new = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(new, Image.Resampling.BILINEAR)
