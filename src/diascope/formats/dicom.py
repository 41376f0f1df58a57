"""DICOM images: one series (CT, MR, PT, CR, DX, MG, US, secondary capture; classic or enhanced) as one `Image`.

Frames of a cine (ultrasound, angiography) have no place in the patient and are not slices: reading such a file whole is
refused, the item `frame:N` (from 1, as DICOM counts) gives one of them. Everything foreign is parsed and decoded in the
child process of `dicomio.decoder`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from diascope.core.errors import BadUsage, UnreadableFile, UnsoundGeometry
from diascope.core.image import Image
from diascope.formats import Extent
from diascope.formats.dicomio.decoder import decoder
from diascope.formats.dicomio.headers import (
    SUFFIXES,
    Instance,
    headers,
    is_dicom,
    is_segmentation,
    is_structure_set,
    is_waveform,
)
from diascope.formats.dicomio.stack import Stack, stack
from diascope.formats.dicomio.tilt import straightened, upright
from diascope.formats.dicomio.values import TURNED, is_colour, is_turned, jobs, smallest_type, unit_of
from diascope.modalities import of_dicom_code


class Dicom:
    """Reads DICOM images; `dicom_seg` reads and writes segmentations."""

    suffixes = SUFFIXES[:3]
    writes = False

    def is_available(self) -> bool:
        return True

    def recognises(self, path: Path) -> bool:
        return is_dicom(path) and not (is_segmentation(path) or is_structure_set(path) or is_waveform(path))

    def read(self, paths: Sequence[Path], item: str | None = None) -> Image:
        instances = headers(paths, keep=True)
        for one in instances:
            _refuse_what_is_no_image(one)
        stacked = stack([_only_frame(instances, item)] if item else instances)
        if item:
            number = _frame_number(item)
            stacked = replace(stacked, slices=(replace(stacked.slices[0], frame=number - 1),))
        return _image(stacked)

    def extent(self, paths: Sequence[Path], item: str | None = None) -> Extent | None:
        instances = headers(paths)
        for one in instances:
            _refuse_what_is_no_image(one)
        stacked = stack([_only_frame(instances, item)] if item else instances)
        first = stacked.slices[0].instance
        shape = (3 if is_colour(first) else 1, len(stacked.slices), first.rows, first.columns)
        itemsize = np.dtype(smallest_type(stacked.slices)).itemsize
        return Extent(shape, itemsize, stacked.geometry)

    def write(self, image: Image, path: Path, like: Sequence[Path] = ()) -> None:
        raise BadUsage("images are not written as DICOM", todo="Write masks as DICOM SEG, images as NIfTI or NRRD")


FORMAT = Dicom()


def _refuse_what_is_no_image(one: Instance) -> None:
    if one.is_segmentation:
        raise UnreadableFile(one.path, "it is a DICOM SEG", todo="Read it as a mask, with the format dicom_seg")
    if not one.is_image or one.pixel_bytes == 0:
        raise UnreadableFile(one.path, f"it holds no image (modality {one.modality or 'unknown'})")
    if one.tiled:
        raise UnreadableFile(one.path, "tiled whole-slide images are not read", todo="Export a region as an image")


def _frame_number(item: str) -> int:
    match = re.fullmatch(r"frame:([1-9]\d*)", item)
    if not match:
        raise BadUsage("an item of a DICOM file is frame:N, from 1", given=item)
    return int(match[1])


def _only_frame(instances: Sequence[Instance], item: str) -> Instance:
    """The one file, as if it had only the frame that was asked for."""
    number = _frame_number(item)
    one = instances[0]
    if len(instances) != 1 or number > one.frames:
        raise BadUsage(f"no {item} in {len(instances)} file(s) of {one.frames} frame(s)", given=one.path.name)
    plane = one.planes[number - 1] if len(one.planes) == one.frames else replace(one.planes[0], position=None)
    return replace(one, frames=1, planes=(plane,))


def _image(stacked: Stack) -> Image:
    slices = [*stacked.slices, *(copy for copy, _ in stacked.copies)]
    first = slices[0].instance
    colour = is_colour(first)
    shape = (len(slices), first.rows, first.columns, *((3,) if colour else ()))
    values = decoder().pixels(jobs(slices), shape, smallest_type(slices))
    history = list(stacked.notes)
    history += _drop_copies(stacked, values)
    values = values[: len(stacked.slices)]
    array = np.ascontiguousarray(np.moveaxis(values, -1, 0)) if colour else values[None]
    if is_turned(first):
        history.append(TURNED)
    geometry = stacked.geometry
    if stacked.tilt:
        array, geometry = upright(array, geometry)
        history.append(straightened(stacked.tilt))
    return Image(array, geometry, of_dicom_code(first.modality), unit_of(first), _attributes(stacked), tuple(history))


def _drop_copies(stacked: Stack, values: npt.NDArray[Any]) -> list[str]:
    """Notes about copies of a slice; refuse two different slices at one place."""
    notes = []
    for number, (copy, of) in enumerate(stacked.copies):
        if not np.array_equal(values[len(stacked.slices) + number], values[of], equal_nan=values.dtype.kind == "f"):
            raise UnsoundGeometry(
                f"two different slices at one place: {stacked.slices[of].name} and {copy.name}",
                todo="Remove the wrong one, or read the time points (or echoes) of the series apart",
            )
        notes.append(f"{copy.instance.path.name} is an exact copy of {stacked.slices[of].instance.path.name}: dropped")
    return notes


def _attributes(stacked: Stack) -> dict[str, Any]:
    """Facts that identify nobody; UIDs are keys of the source, and stay within the workspace."""
    one = stacked.slices[0].instance
    sops = dict.fromkeys(part.instance.sop_uid for part in stacked.slices)
    found = {
        "study_uid": one.study_uid,
        "series_uid": one.series_uid,
        "sop_uids": tuple(sops),
        "sop_class": one.sop_class,
        "manufacturer": one.manufacturer,
        "model": one.model,
        "kvp": one.kvp,
        "slice_thickness": one.slice_thickness,
        "body_part": one.body_part,
        "laterality": one.laterality,
        "view": one.view,
        "photometric": one.photometric,
    }
    return {key: value for key, value in found.items() if value not in (None, "")}
