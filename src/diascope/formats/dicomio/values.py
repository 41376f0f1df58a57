"""How the stored values of slices become an array: which frames go where, in which type, in which unit.

The one reading of values: whole volumes (`formats/dicom.py`) and single frames (`frames.py`) have the same ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from diascope.formats.dicomio.decoder import Job
from diascope.formats.dicomio.headers import Instance
from diascope.formats.dicomio.stack import Slice

PT_UNITS = {"BQML": "Bq/mL", "CNTS": "counts", "GML": "g/mL", "PROPCPS": "a.u.", "NONE": "a.u."}
"""Units (0054,1001), PS3.3 C.8.9.1."""

TYPES: tuple[npt.DTypeLike, ...] = (np.uint8, np.int16, np.int32)
"""Whole numbers that an image is read as, the smallest first."""

TURNED = "MONOCHROME1: values turned, so that more is brighter"


def is_colour(one: Instance) -> bool:
    """Whether its frames have three samples a pixel once they are decoded."""
    return one.samples == 3 or one.photometric == "PALETTE COLOR"


def is_turned(one: Instance) -> bool:
    """Whether its values are turned, because small ones are bright and no unit says what they mean."""
    return one.photometric == "MONOCHROME1" and unit_of(one) == "a.u."


def unit_of(one: Instance) -> str:
    """`HU`, `Bq/mL`, ..., `a.u.` where the values mean nothing by themselves."""
    declared = one.planes[0].unit if one.planes and one.planes[0].unit else one.value_unit
    if one.modality == "CT":
        return "HU" if declared in ("", "HU") else "a.u."
    if one.modality == "PT":
        return PT_UNITS.get(declared, declared or "a.u.")
    return "a.u."


def jobs(slices: Sequence[Slice]) -> list[Job]:
    """What the decoder must do for some slices, one job a file; slice k goes to place k of the array.

    Colours are not rescaled: PS3.3 C.7.6.3.1.2 gives their values.
    """
    colour, turned = is_colour(slices[0].instance), is_turned(slices[0].instance)
    by_path: dict[Path, list[tuple[int, Slice]]] = {}
    for at, one in enumerate(slices):
        by_path.setdefault(one.instance.path, []).append((at, one))
    found = []
    for path, members in by_path.items():
        members.sort(key=lambda pair: pair[1].frame)
        found.append(
            Job(
                path,
                tuple(one.frame for _, one in members),
                tuple(at for at, _ in members),
                tuple(1.0 if colour else one.plane.slope for _, one in members),
                tuple(0.0 if colour else one.plane.intercept for _, one in members),
                turned,
            )
        )
    return found


def smallest_type(slices: Sequence[Slice], types: Sequence[npt.DTypeLike] = TYPES) -> npt.DTypeLike:
    """The first of some integer types that holds every rescaled value exactly; float32 where none does."""
    first = slices[0].instance
    if is_colour(first):
        return np.uint8 if first.bits_allocated <= 8 or first.photometric == "PALETTE COLOR" else np.int32
    slopes, intercepts = ([getattr(one.plane, key) for one in slices] for key in ("slope", "intercept"))
    whole = all(float(value).is_integer() for value in (*slopes, *intercepts))
    bits = max(one.instance.bits_stored for one in slices)
    if first.value_table or not whole or bits > 16 or bits == 0:
        return np.float32
    low, high = stored_range(bits, first.signed)
    ends = [s * v + i for s, i in zip(slopes, intercepts, strict=True) for v in (low, high)] + intercepts + slopes
    for dtype in types:
        if np.iinfo(dtype).min <= min(ends) and max(ends) <= np.iinfo(dtype).max:
            return dtype
    return np.float32


def stored_range(bits: int, signed: bool) -> tuple[int, int]:
    """The smallest and the largest value that so many bits store."""
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
