"""Signals as pictures: a trace for each channel, over what led to the answer."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow
from PIL import ImageColor, ImageDraw, ImageFont

from diascope.core.errors import DataRefused
from diascope.core.figure import Picture
from diascope.reports.colours import HEAT_COLOUR

Floats = npt.NDArray[np.float32]

WIDTH, HEIGHT, MARGIN = 720, 96, 10
"""Pixels: of a trace, and around it."""
MOST = 12
"""Channels that are drawn."""
INK, GRID = (20, 20, 20), (225, 225, 225)
STRENGTH = 0.75
"""Of the colour where the evidence is strongest."""


def trace_picture(
    values: Floats, there: npt.NDArray[np.bool_], heat: Floats | None, names: Sequence[str], **parts: Any
) -> Picture:
    """Channels one below the other, with what led to the answer in colour behind them.

    Args:
        values: (C, T), each channel drawn from its smallest to its largest value.
        there: (T,) where there are samples; nothing is drawn elsewhere.
        heat: (T,) in 0..1; None draws the traces alone.
        names: Of the channels.
        **parts: `caption`, `case`, `rate` (samples a second, 0 where they have no time).

    Raises:
        DataRefused: When the shapes differ.
    """
    if values.ndim != 2 or there.shape != values.shape[1:] or (heat is not None and heat.shape != there.shape):
        raise DataRefused("traces are (C, T), with one number a sample beside them", given=f"{values.shape}")
    last = int(np.flatnonzero(there)[-1]) + 1 if there.any() else values.shape[1]
    shown = values[:MOST, :last]
    canvas = _background(None if heat is None else heat[:last], len(shown))
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default()
    for row, (channel, name) in enumerate(zip(shown, names, strict=False)):
        top = MARGIN + row * HEIGHT
        draw.line([(MARGIN, top + HEIGHT), (MARGIN + WIDTH, top + HEIGHT)], fill=GRID)
        for line in _lines(channel, there[:last], top):
            draw.line(line, fill=INK, width=1)
        draw.text((MARGIN + 2, top + 2), _latin(name), fill=INK, font=font)
    draw.text((MARGIN + 2, MARGIN + len(shown) * HEIGHT), _scale(last, parts.get("rate", 0.0)), fill=INK, font=font)
    stream = io.BytesIO()
    canvas.save(stream, "PNG", optimize=True)
    png = base64.b64encode(stream.getvalue()).decode()
    return Picture(png=png, caption=parts.get("caption", ""), case=parts.get("case", ""))


def _background(heat: Floats | None, channels: int) -> Pillow.Image:
    """White, and the colour of the evidence as strong as it is."""
    pixels = np.full((2 * MARGIN + channels * HEIGHT + MARGIN, WIDTH + 2 * MARGIN, 3), 255, np.float32)
    if heat is not None:
        places = np.minimum((np.arange(WIDTH) * len(heat)) // WIDTH, len(heat) - 1)
        share = (STRENGTH * np.clip(heat[places], 0, 1))[None, :, None]
        inside = pixels[MARGIN : MARGIN + channels * HEIGHT, MARGIN : MARGIN + WIDTH]
        inside[:] = (1 - share) * inside + share * np.array(ImageColor.getrgb(HEAT_COLOUR), np.float32)
    return Pillow.fromarray(pixels.round().astype(np.uint8))


def _lines(channel: Floats, there: npt.NDArray[np.bool_], top: int) -> list[list[tuple[float, float]]]:
    """Stretches of a trace without gaps, in pixels."""
    known = channel[there]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    span = (high - low) or 1.0
    x = MARGIN + np.arange(len(channel)) * (WIDTH / max(1, len(channel) - 1))
    y = top + 6 + (high - channel) / span * (HEIGHT - 12)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], there, [False]]).astype(np.int8)))
    found = []
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        if stop - start > 1:
            found.append([(float(a), float(b)) for a, b in zip(x[start:stop], y[start:stop], strict=True)])
    return found


def _scale(samples: int, rate: float) -> str:
    return f"0 to {samples / rate:.4g} s" if rate else f"{samples} samples"


def _latin(name: str) -> str:
    """A name in the letters that the built-in font has."""
    return name.encode("latin-1", "replace").decode("latin-1")
