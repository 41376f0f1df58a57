"""RT Structure Sets: closed contours read as one label image on the grid of the series that they were drawn on.

A structure set has no grid of its own (PS3.3 C.8.8.6 gives points in millimetres), so its series is read with it.
Points and open contours enclose nothing: they are left out, and that is noted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from diascope.core.case import Label
from diascope.core.errors import BadUsage, UnreadableFile, UnsoundGeometry
from diascope.core.geometry import Geometry
from diascope.core.image import Image
from diascope.formats import Extent
from diascope.formats.dicomio.decoder import decoder
from diascope.formats.dicomio.filling import fill, on_slices
from diascope.formats.dicomio.headers import SUFFIXES, Instance, Roi, headers, is_structure_set
from diascope.formats.dicomio.stack import stack
from diascope.formats.dicomio.tilt import upright
from diascope.modalities import of_dicom_code

SEPARATOR = "\\"
"""Between the names in an item: no DICOM text can hold it (PS3.5 6.2)."""


class RtStruct:
    """Reads RT Structure Sets."""

    suffixes = SUFFIXES[:2]
    writes = False

    def is_available(self) -> bool:
        return True

    def recognises(self, path: Path) -> bool:
        return is_structure_set(path)

    def read(self, paths: Sequence[Path], item: str | None = None) -> Image:
        r"""Read one structure set on the grid of its series.

        Args:
            paths: The structure set and every file of the series, in any order.
            item: Names of regions, parted by a backslash (`Heart\Lung`): the place of a name is its voxel value, and
                an empty name keeps a value free. None: every region with closed contours, voxel value = ROI number.
        """
        instances = headers(paths)
        sets = [one for one in instances if one.is_structure_set]
        images = [one for one in instances if not one.is_structure_set]
        if len(sets) != 1:
            raise UnreadableFile(paths[0], f"{len(sets)} of {len(paths)} files are RT Structure Sets, one must be")
        if not images:
            raise UnreadableFile(
                sets[0].path,
                "an RT Structure Set has no grid of its own",
                todo="Read it together with its series: put both into one folder, as a DICOM tree",
            )
        wanted = _wanted(sets[0], item)
        geometry, shape = _grid(images)
        for roi in wanted.values():
            _refuse_other_frame(roi, images[0])
        array, history = _drawn(sets[0], wanted, geometry, shape)
        if not all(roi.has_frame_of(images[0]) for roi in wanted.values()):
            history += ("the structure set calls the frame of reference of its series by another UID",)
        attributes = {
            "labels": tuple(
                Label(name=roi.name, value=value, code=f"{roi.scheme}:{roi.code}" if roi.code else None)
                for value, roi in wanted.items()
            ),
            "study_uid": sets[0].study_uid,
            "series_uid": sets[0].series_uid,
            "sop_uids": (sets[0].sop_uid,),
            "sop_class": sets[0].sop_class,
            "referenced_series_uid": images[0].series_uid,
            "referenced_sop_uids": tuple(one.sop_uid for one in images),
        }
        return Image(array[None], geometry, of_dicom_code(images[0].modality), "label", attributes, history)

    def extent(self, paths: Sequence[Path], item: str | None = None) -> Extent | None:
        return None  # a mask is no input of a release

    def write(self, image: Image, path: Path, like: Sequence[Path] = ()) -> None:
        raise BadUsage("masks are not written as RT Structure Sets", todo="Write them as DICOM SEG (dicom_seg)")


FORMAT = RtStruct()


def _wanted(one: Instance, item: str | None) -> dict[int, Roi]:
    """Voxel value to region, in growing order.

    Raises:
        UnreadableFile: When a region is not there, is there twice, or encloses nothing.
    """
    closed = [roi for roi in one.rois if roi.closed]
    if item is None:
        if any(not 0 < roi.number < 1 << 16 for roi in closed):
            raise UnreadableFile(one.path, "ROI numbers beyond 1 to 65535", todo="Name the regions that are meant")
        chosen = {roi.number: roi for roi in sorted(closed, key=lambda roi: roi.number)}
    else:
        chosen = {}
        for value, name in enumerate(item.split(SEPARATOR), 1):
            named = [roi for roi in closed if roi.name == name]
            if name and len(named) != 1:
                raise UnreadableFile(
                    one.path,
                    f"{len(named)} regions with closed contours are called {name!r}",
                    todo=f"It has: {', '.join(roi.name for roi in closed) or 'none'}",
                )
            if name:
                chosen[value] = named[0]
    if not chosen:
        raise UnreadableFile(one.path, "no region of interest has a closed contour")
    return chosen


def _grid(images: Sequence[Instance]) -> tuple[Geometry, tuple[int, int, int]]:
    """Where the voxels of the series are, as the format `dicom` reads it.

    Raises:
        UnsoundGeometry: When the images are no volume, or have no millimetres.
    """
    stacked = stack(images)
    geometry, shape = stacked.geometry, (len(stacked.slices), images[0].rows, images[0].columns)
    if not geometry.physical or images[0].position is None:
        raise UnsoundGeometry("the images have no place in the patient, so contours cannot be put on them")
    if stacked.tilt:
        grown, geometry = upright(np.zeros((1, *shape), np.uint8), geometry)
        shape = grown.shape[1:]
    return geometry, shape


def _drawn(
    one: Instance, wanted: Mapping[int, Roi], geometry: Geometry, shape: tuple[int, int, int]
) -> tuple[npt.NDArray[Any], tuple[str, ...]]:
    """Labels (Z, Y, X), and what the user should know.

    Raises:
        UnsoundGeometry: When a region does not lie on the slices; names it.
    """
    contours = decoder().contours(one.path)
    labels = np.zeros(shape, dtype=np.uint8 if max(wanted) < 256 else np.uint16)
    history, shared = [], 0
    for value, roi in sorted(wanted.items()):
        by_slice = on_slices(contours.get(roi.number, []), geometry, shape, roi.name)
        voxels = 0
        for number, polygons in by_slice.items():
            box, inside = fill(polygons, shape[1:])
            target = labels[number][box]
            shared += int(np.count_nonzero(target[inside]))
            voxels += int(np.count_nonzero(inside))
            target[inside] = value
        history += _notes(roi, sorted(by_slice), voxels)
    if shared:
        history.append(f"regions overlap in {shared} voxels: there, the higher value was taken")
    return labels, tuple(history)


def _refuse_other_frame(roi: Roi, image: Instance) -> None:
    if not roi.fits(image):
        raise UnsoundGeometry(
            f"the region {roi.name!r} and the series have different frames of reference",
            given=f"{roi.frame_of_reference} and {image.frame_of_reference}",
            todo="Give the series that it was drawn on",
        )


def _notes(roi: Roi, slices: Sequence[int], voxels: int) -> list[str]:
    notes = []
    if roi.ignored:
        notes.append(f"{roi.ignored} points or open contours of the region {roi.name!r} were left out")
    between = slices[-1] - slices[0] + 1 - len(slices)
    if between:
        notes.append(f"the region {roi.name!r} has no contour on {between} slices between others: it is empty there")
    if not voxels:
        notes.append(f"the region {roi.name!r} is too small to hold the centre of a voxel")
    return notes
