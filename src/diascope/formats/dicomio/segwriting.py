"""A mask and the headers of its source series as a DICOM SEG, with highdicom."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.sr.codedict import codes

from diascope.core.case import Label
from diascope.core.errors import BadUsage, DataRefused, UnsoundGeometry
from diascope.core.geometry import Geometry
from diascope.core.image import Image
from diascope.core.result import ABNORMAL
from diascope.formats.dicomio.derived import Source, code_of, identification, quietly, series_number, source_of
from diascope.formats.dicomio.headers import headers
from diascope.formats.dicomio.placing import place_on
from diascope.formats.dicomio.stack import Stack, stack

EVERY_FRAME = 64 << 20
"""Bytes of pixels up to which every slice gets a frame of every segment; beyond, empty frames are left out."""


def segmentation(image: Image, like: Sequence[Path]) -> Any:
    """The SEG as a highdicom object; see `DicomSeg.write`."""
    stacked = stack(headers(like))
    source = source_of(stacked)
    seg = segmentation_of(image, stacked, source)
    source.identify(seg)
    return seg


def segmentation_of(image: Image, stacked: Stack, source: Source, uids: tuple[str, str] | None = None) -> Any:
    """The SEG of a source that was read already, as a highdicom object without the patient.

    Args:
        image: See `DicomSeg.write`.
        stacked: The source, in order.
        source: Its headers, as `source_of` gives them.
        uids: Of the object and of its series; made up where None.

    Raises:
        DataRefused: When no SEG can refer to this source.
        UnsoundGeometry: When the mask lies in another frame of reference or nowhere on the source.
    """
    first = stacked.slices[0].instance
    grid = (len(stacked.slices), first.rows, first.columns)
    mask = on_source(image, stacked.geometry, grid)
    labels = _labels(image)
    algorithm = image.attributes.get("algorithm")
    kind = "AUTOMATIC" if algorithm else "MANUAL"
    return written(_pixels(mask, labels), [(label, kind) for label in labels], (stacked, source), algorithm, uids)


def written(
    numbers: npt.NDArray[np.uint8],
    segments: Sequence[tuple[Label, str]],
    on: tuple[Stack, Source],
    algorithm: dict[str, Any] | None,
    uids: tuple[str, str] | None,
) -> Any:
    """A SEG of segment numbers on the slices of a source.

    Args:
        numbers: (Z, Y, X) from 1, in the order of the segments; or (Z, Y, X, n) of 0 and 1 where they overlap.
        segments: Each with how it came about: `AUTOMATIC`, `SEMIAUTOMATIC`, `MANUAL` (PS3.3 C.8.20.2).
        on: The source.
        algorithm: Name, version and release hash of what made those that are not manual.
        uids: See `segmentation_of`.

    Raises:
        DataRefused: When no SEG can refer to this source.
    """
    stacked, source = on
    first = stacked.slices[0].instance
    sources, numbers = _sources(stacked, source, numbers)
    try:
        with quietly():
            described = [_description(n, label, kind, algorithm) for n, (label, kind) in enumerate(segments, 1)]
            seg = _highdicom(sources, numbers, described, (algorithm, uids))
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise DataRefused(
            f"no DICOM SEG can refer to this source: {error}", given=f"{first.path.name} and its series"
        ) from error
    if first.position is None:
        # Type 2C of the General Image module where there is no position: empty means unknown.
        seg.PatientOrientation = sources[0].get("PatientOrientation")
    return seg


def again(content: bytes, uids: tuple[str, str]) -> Any:
    """A SEG that we wrote, as another object with the same segments and the same frames.

    Args:
        content: The file.
        uids: Of the new object and of its series.
    """
    with quietly():
        seg = hd.seg.Segmentation.from_dataset(pydicom.dcmread(BytesIO(content)), copy=False)
        seg.SOPInstanceUID, seg.SeriesInstanceUID = uids
        seg.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.UID(uids[0])
        others = [one for one in seg.get("ContributingEquipmentSequence", ()) if one.get("Manufacturer") != "Diascope"]
        seg.ContributingEquipmentSequence = others
    return seg


def _highdicom(
    sources: list[Any],
    numbers: npt.NDArray[Any],
    segments: Sequence[Any],
    made: tuple[dict[str, Any] | None, tuple[str, str] | None],
) -> Any:
    algorithm, uids = made
    return hd.seg.Segmentation(
        source_images=sources,
        pixel_array=numbers,
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=segments,
        series_instance_uid=uids[1] if uids else hd.UID(),
        series_number=series_number(sources[0]),
        sop_instance_uid=uids[0] if uids else hd.UID(),
        instance_number=1,
        manufacturer="Diascope",
        manufacturer_model_name=str(algorithm["name"])[:64] if algorithm else "Diascope",
        software_versions=version("diascope"),
        device_serial_number="0",
        content_label="SEGMENTATION",
        content_description="Not a medical device",
        series_description=f"{algorithm['name']} segmentation"[:64] if algorithm else "Segmentation",
        omit_empty_frames=len(segments) * int(np.prod(numbers.shape[:3])) // 8 > EVERY_FRAME,
    )


def on_source(image: Image, geometry: Geometry, grid: tuple[int, int, int]) -> npt.NDArray[Any]:
    """The mask on the source's own slices (Z, Y, X); exact where it was made there."""
    if image.channels != 1:
        raise BadUsage("a mask has one channel", given=f"{image.channels}")
    if image.geometry.is_close(geometry, 0.01) and image.shape == grid:
        ours, theirs = image.geometry.frame_of_reference, geometry.frame_of_reference
        if ours and theirs and ours != theirs:
            raise UnsoundGeometry("mask and source have different frames of reference", given=f"{ours} and {theirs}")
        return np.asarray(image.array[0])
    return np.asarray(place_on(image, geometry, grid).array[0])


def _labels(image: Image) -> tuple[Label, ...]:
    """One label a segment, in the order of their values."""
    given = image.attributes.get("labels", ())
    labels = sorted((one for one in given if one.value > 0), key=lambda one: one.value)
    if not labels:
        raise BadUsage("a DICOM SEG needs named labels", todo='Set attributes["labels"] of the mask')
    return tuple(labels)


def _pixels(mask: npt.NDArray[Any], labels: Sequence[Label]) -> npt.NDArray[np.uint8]:
    """Segment numbers (Z, Y, X); with regions, which lie in one another, a plane a segment (Z, Y, X, n) of 0 and 1.

    Segments of a SEG may overlap; it says so in Segments Overlap (0062,0013).
    """
    known = {value for label in labels for value in (label.value, *label.members)}
    unknown = [int(value) for value in np.unique(mask) if value and int(value) not in known]
    if unknown or len(labels) > 255:
        raise BadUsage("voxel values without a label", given=str(unknown[:10]), todo="Name every value in the mask")
    if not any(label.members for label in labels):
        return _renumbered(mask, labels)
    planes = np.empty((*mask.shape, len(labels)), dtype=np.uint8)
    for number, label in enumerate(labels):
        planes[..., number] = np.isin(mask, (label.value, *label.members))
    return planes


def _renumbered(mask: npt.NDArray[Any], labels: Sequence[Label]) -> npt.NDArray[np.uint8]:
    """Segment numbers: 1 to n in the order of the label values (PS3.3 C.8.20.2.4 wants them without a gap)."""
    known = {label.value: number for number, label in enumerate(labels, 1)}
    values = [int(value) for value in np.unique(mask)]
    numbers = np.zeros(mask.shape, dtype=np.uint8)
    for value in values:
        if value:
            numbers[mask == value] = known[value]
    return numbers


def _sources(stacked: Stack, source: Source, numbers: npt.NDArray[Any]) -> tuple[list[Any], npt.NDArray[Any]]:
    """Headers of the source files, and the mask in their order of frames."""
    sources = source.datasets
    if len(sources) > 1:
        return sources, numbers
    order = np.argsort([one.frame for one in stacked.slices])
    return sources, numbers[order]


def _description(number: int, label: Label, kind: str, algorithm: dict[str, Any] | None) -> Any:
    code = code_of(label)
    abnormal = code.scheme_designator == "SCT" and code.value in ABNORMAL
    category = codes.SCT.MorphologicallyAbnormalStructure if abnormal else codes.SCT.AnatomicalStructure
    return hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=label.name[:64],
        segmented_property_category=category,
        segmented_property_type=code,
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues[kind],
        algorithm_identification=identification(algorithm) if algorithm and kind != "MANUAL" else None,
    )
