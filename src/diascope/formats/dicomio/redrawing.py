"""The SEG of a result that a reader corrected: the reader's segments in the place of the release's, and beside them.

What the reader said is not there has no segment.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from diascope.core.case import Label
from diascope.core.image import Image
from diascope.core.result import Made, Redrawn
from diascope.formats.dicomio.derived import Source
from diascope.formats.dicomio.headers import Instance, headers
from diascope.formats.dicomio.segments import label_image
from diascope.formats.dicomio.segwriting import on_source, written
from diascope.formats.dicomio.stack import Stack

LONGEST = 64
"""Characters of a label (LO, PS3.5 6.2)."""

PRIVATE = "99"
"""How coding schemes begin that are no standard (PS3.16 8.2); our own codes are made of names, and are made again."""


@dataclass(frozen=True)
class _Segment:
    """One segment of the new object.

    Args:
        label: Name and code.
        kind: How it came about.
        number: Of the segment in the earlier object, where it stays as it was.
        drawn: What the reader drew.
    """

    label: Label
    kind: str
    number: int | None = None
    drawn: Redrawn | None = None


def redrawn(made: Made, stacked: Stack, source: Source, uids: tuple[str, str]) -> Any | None:
    """The SEG as a highdicom object, without the patient; None where nothing is left to show.

    Segments that nobody corrected have the voxels that the release gave them. A corrected one keeps its name and code,
    and is half-automatic: the release proposed it. What the release missed is drawn by hand.

    Args:
        made: What made the result, with its first SEG, where there is one, what the reader drew, and what is not there.
        stacked: The source, in order.
        source: Its headers.
        uids: Of the object and of its series.

    Raises:
        DataRefused: When no SEG can refer to this source.
        UnsoundGeometry: When a drawing lies nowhere on the source.
    """
    with tempfile.TemporaryDirectory(prefix="diascope-seg-") as name:
        earlier = None
        if made.segmentation is not None:
            path = Path(name) / "first.dcm"
            path.write_bytes(made.segmentation)
            (earlier,) = headers([path])
        segments = _segments(earlier, made.redrawn, made.removed)
        if not segments:
            return None
        numbers = _numbers(segments, earlier, stacked)
    on = (stacked, source)
    return written(numbers, [(one.label, one.kind) for one in segments], on, algorithm_of(made), uids)


def algorithm_of(made: Made) -> dict[str, Any]:
    """Name, version and release hash of what made a result, as a SEG has them."""
    one = made.algorithm
    return {"name": one.name, "version": one.version, "release_hash": one.seal}


def _segments(earlier: Instance | None, drawn: Sequence[Redrawn], removed: Sequence[str]) -> list[_Segment]:
    gone = {name[:LONGEST] for name in removed}
    instead = {one.concept[:LONGEST]: one for one in drawn if not one.added}
    found: list[_Segment] = []
    for one in earlier.segments if earlier is not None else ():
        if one.name[:LONGEST] in gone:
            continue
        code = f"{one.scheme}:{one.code}" if one.scheme and one.code and not one.scheme.startswith(PRIVATE) else None
        label = Label(name=one.name, value=len(found) + 1, code=code)
        by = instead.pop(one.name[:LONGEST], None)
        kept = one.number if by is None else None
        found.append(_Segment(label, "SEMIAUTOMATIC" if by else "AUTOMATIC", kept, by))
    codes = {one.label.name: one.label.code for one in found}
    # What a reader drew of a finding that has no segment yet, and what the release missed, is all the reader's.
    for more in (*instead.values(), *(one for one in drawn if one.added)):
        name = more.concept[:LONGEST]
        found.append(_Segment(Label(name=name, value=len(found) + 1, code=codes.get(name)), "MANUAL", drawn=more))
    return found


def _numbers(segments: Sequence[_Segment], earlier: Instance | None, stacked: Stack) -> npt.NDArray[np.uint8]:
    """Segment numbers (Z, Y, X); where segments overlap, a plane for each (Z, Y, X, n) of 0 and 1."""
    numbers = np.zeros(_grid(stacked), np.uint8)
    for value, inside in _voxels(segments, earlier, stacked):
        if numbers[inside].any():
            break
        numbers[inside] = value
    else:
        return numbers
    planes = np.zeros((*_grid(stacked), len(segments)), np.uint8)
    for value, inside in _voxels(segments, earlier, stacked):
        planes[..., value - 1] = inside
    return planes


def _voxels(
    segments: Sequence[_Segment], earlier: Instance | None, stacked: Stack
) -> Iterator[tuple[int, npt.NDArray[np.bool_]]]:
    """Number and voxels (Z, Y, X) of each segment on the slices of the source, one after the other."""
    for value, one in enumerate(segments, 1):
        if one.drawn is not None:
            image = one.drawn.mask
        elif earlier is not None:
            array, geometry, _ = label_image(earlier, one.number)
            image = Image(array[None], geometry, unit="label")
        yield value, on_source(image, stacked.geometry, _grid(stacked)) > 0


def _grid(stacked: Stack) -> tuple[int, int, int]:
    first = stacked.slices[0].instance
    return len(stacked.slices), first.rows, first.columns
