"""Pictures of instances and frames (PS3.18 10.4.1.1.3): parameters read and bounded, drawn in the decoder child."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import RowMapping

from diascope.core.errors import BadUsage
from diascope.serve.dicomweb import negotiation
from diascope.serve.dicomweb.wado import child_wrote
from diascope.serve.incoming.decoding import strict_decoder
from diascope.serve.service import Service

KINDS = ("image/jpeg", "image/png")
FUNCTIONS = {"linear": "LINEAR", "linear-exact": "LINEAR_EXACT", "sigmoid": "SIGMOID"}
LARGEST_VIEWPORT = 4096
THUMBNAIL = 256
"""Pixels of the longer side."""

QUALITY = 90
NUMBER = r"[+-]?[0-9]{1,9}(?:\.[0-9]{1,9})?"


def read_parameters(parameters: Mapping[str, str]) -> dict[str, Any]:
    """What `window`, `viewport` and `quality` say.

    Raises:
        BadUsage: When one of them makes no sense.
    """
    region, size = _viewport(parameters.get("viewport"))
    return {
        "window": _window(parameters.get("window")),
        "region": region,
        "size": size,
        "quality": _quality(parameters.get("quality")),
    }


def picture(
    service: Service, row: RowMapping, frame: int | None, accept: str, request: Mapping[str, Any]
) -> tuple[str, bytes]:
    """A picture of one frame.

    Args:
        service: That has the instance.
        row: Of `wado.selected`.
        frame: From 1; None is the first one.
        accept: Header, or the parameter of that name.
        request: Of `read_parameters`.

    Returns:
        Media type and content.

    Raises:
        NotAcceptable: When no media type is taken, or the object can't be drawn.
    """
    kind = negotiation.chosen(accept, KINDS)
    wanted = {**request, "frame": (frame or 1) - 1, "kind": kind}
    _, out = child_wrote(service, row, "draw", strict_decoder(), **wanted)
    with out:
        return kind, out.read()


def thumbnail(service: Service, row: RowMapping, frame: int | None, accept: str) -> tuple[str, bytes]:
    """A small picture: of a frame, or of the middle one."""
    kind = negotiation.chosen(accept, KINDS)
    request = {"window": None, "region": None, "size": [THUMBNAIL, THUMBNAIL], "quality": 80, "kind": kind}
    wanted = {**request, "frame": None if frame is None else frame - 1}
    _, out = child_wrote(service, row, "draw", strict_decoder(), **wanted)
    with out:
        return kind, out.read()


def representative(rows: Sequence[RowMapping]) -> RowMapping | None:
    """The instance in the middle of the first series that has pictures."""
    images = [row for row in rows if row["rows"]]
    first = [row for row in images if row["series_uid"] == images[0]["series_uid"]]
    return first[len(first) // 2] if first else None


def _window(text: str | None) -> list[Any] | None:
    if text is None:
        return None
    found = re.fullmatch(rf"({NUMBER}),({NUMBER}),([a-z-]+)", text.strip().lower())
    if not found or found[3] not in FUNCTIONS or not float(found[2]) > 0:
        raise BadUsage(
            "this is no window", todo=f"Write centre,width,function; the function is {' or '.join(FUNCTIONS)}"
        )
    return [float(found[1]), float(found[2]), FUNCTIONS[found[3]]]


def _viewport(text: str | None) -> tuple[list[int] | None, list[int] | None]:
    if text is None:
        return None, None
    parts = text.split(",")
    if len(parts) not in (2, 6) or not all(re.fullmatch(f"({NUMBER})?", part) for part in parts):
        raise _no_viewport()
    numbers = [math.floor(float(part)) if part else 0 for part in parts]
    columns, rows = numbers[:2]
    if not (1 <= columns <= LARGEST_VIEWPORT and 1 <= rows <= LARGEST_VIEWPORT):
        raise _no_viewport()
    if len(parts) == 2:
        return None, [columns, rows]
    left, top, width, height = numbers[2:]
    if left < 0 or top < 0 or not width or not height:
        raise _no_viewport()
    return [left, top, width, height], [columns, rows]


def _no_viewport() -> BadUsage:
    return BadUsage(
        "this is no viewport",
        todo=f"Write columns,rows (1 to {LARGEST_VIEWPORT}), and after it left,top,width,height of a part",
    )


def _quality(text: str | None) -> int:
    if text is None:
        return QUALITY
    if not re.fullmatch(r"[0-9]{1,3}", text) or not 1 <= int(text) <= 100:
        raise BadUsage("the quality is a number from 1 to 100")
    return int(text)
