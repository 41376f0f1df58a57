"""Thumbnails side by side, as a gallery."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image as Drawing

from diascope.core.figure import Gallery, Picture
from diascope.planning.survey import Survey

MOST = 8
"""Pictures in a gallery, and thumbnails in a picture."""
SIDE = 128
"""Pixels of one thumbnail in a picture."""
GAP = 4


def gallery(survey: Survey, title: str, groups: Iterable[Sequence[str]], note: str = "") -> Gallery | None:
    """One picture a group, its cases side by side; None where no group has a thumbnail."""
    pictures: list[Picture] = []
    for group in groups:
        shown = [
            (key, next(iter(facts.inputs.values())))
            for key in group
            if (facts := survey.facts.get(key)) and facts.inputs
        ]
        if shown and len(pictures) < MOST:
            strip = _strip([facts.thumbnail for _, facts in shown[:MOST]])
            pictures.append(Picture(png=strip, caption=" | ".join(key for key, _ in shown[:MOST]), case=shown[0][0]))
    return Gallery(title=title, pictures=tuple(pictures), note=note) if pictures else None


def _strip(thumbnails: Sequence[npt.NDArray[np.uint8]]) -> str:
    strip = Drawing.new("L", (len(thumbnails) * (SIDE + GAP) - GAP, SIDE), color=255)
    for place, thumbnail in enumerate(thumbnails):
        larger = Drawing.fromarray(thumbnail).resize((SIDE, SIDE), Drawing.Resampling.BICUBIC)
        strip.paste(larger, (place * (SIDE + GAP), 0))
    stream = io.BytesIO()
    strip.save(stream, format="PNG", optimize=True)
    return base64.b64encode(stream.getvalue()).decode()
