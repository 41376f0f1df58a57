"""DICOM SEG: segmentations read as one label image, and written so that they lie exactly on their source series.

A source without positions (a film, a photograph) gets a SEG that refers to its pixels alone, as PS3.3 A.51 allows. A
mask with nothing in it is written with all its frames, all zero: "looked at, nothing found" is an answer that a PACS
can show, a missing object is not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from diascope.core.case import Label
from diascope.core.errors import BadUsage, UnreadableFile
from diascope.core.image import Image
from diascope.core.record import write_durably
from diascope.formats import Extent
from diascope.formats.dicomio.headers import SUFFIXES, headers, is_segmentation
from diascope.formats.dicomio.placing import place_on
from diascope.formats.dicomio.segments import label_image
from diascope.modalities import of_dicom_code

__all__ = ["FORMAT", "DicomSeg", "place_on"]


class DicomSeg:
    """Reads and writes DICOM SEG."""

    suffixes = SUFFIXES
    writes = True

    def is_available(self) -> bool:
        return True

    def recognises(self, path: Path) -> bool:
        return is_segmentation(path)

    def read(self, paths: Sequence[Path], item: str | None = None) -> Image:
        """Read one SEG; `item` is a segment number, or None for all segments (voxel value = segment number)."""
        if len(paths) != 1:
            raise BadUsage("a DICOM SEG is one file", given=f"{len(paths)} files")
        if item is not None and not re.fullmatch(r"[1-9]\d{0,4}", item):
            raise BadUsage("an item of a DICOM SEG is a segment number", given=item)
        (one,) = headers(paths, keep=True)
        if not one.is_segmentation:
            raise UnreadableFile(one.path, f"it is no DICOM SEG (modality {one.modality or 'unknown'})")
        wanted = int(item) if item else None
        array, geometry, history = label_image(one, wanted)
        labels = tuple(
            Label(name=part.name, value=part.number, code=_code(part.scheme, part.code))
            for part in one.segments
            if part.number > 0 and wanted in (None, part.number)
        )
        attributes: dict[str, Any] = {
            "labels": labels,
            "study_uid": one.study_uid,
            "series_uid": one.series_uid,
            "sop_uids": (one.sop_uid,),
            "sop_class": one.sop_class,
            "referenced_series_uid": one.referenced_series_uids[0] if one.referenced_series_uids else None,
            "referenced_sop_uids": one.referenced_sop_uids
            or tuple(dict.fromkeys(plane.source for plane in one.planes if plane.source)),
        }
        algorithm = next((part for part in one.segments if part.algorithm), None)
        if algorithm is not None:
            attributes["algorithm"] = {"name": algorithm.algorithm, "version": algorithm.algorithm_version}
        return Image(array[None], geometry, of_dicom_code(one.modality), "label", attributes, history)

    def extent(self, paths: Sequence[Path], item: str | None = None) -> Extent | None:
        return None  # a mask is no input of a release

    def write(self, image: Image, path: Path, like: Sequence[Path] = ()) -> None:
        """Write a mask as a SEG of the series `like`.

        Args:
            image: Labels; `attributes["labels"]` names them; `attributes["algorithm"]` = name, version, release_hash
                of what made them (without it the segments are marked as drawn by hand).
            path: The file.
            like: All files of the source series.

        Raises:
            BadUsage: Without `like`, or with labels that are not named.
            UnsoundGeometry: When the mask lies in another frame of reference or nowhere on the source.
        """
        if not like:
            raise BadUsage("a DICOM SEG needs the files of its source series", todo="Pass them as `like`")
        from diascope.formats.dicomio.segwriting import segmentation

        content = BytesIO()
        segmentation(image, tuple(like)).save_as(content)
        write_durably(path, content.getvalue())


FORMAT = DicomSeg()

PRIVATE_SCHEME = "99DIASCOPE"
"""Coding scheme of labels that have no code of their own."""


def _code(scheme: str, value: str) -> str | None:
    return f"{scheme}:{value}" if scheme and value and scheme != PRIVATE_SCHEME else None
