"""What an RT Structure Set says (PS3.3 A.19): its regions of interest and their contours; runs in the decoder child."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from pydicom.multival import MultiValue

from diascope.formats.dicomio.parsing import BrokenFileError

CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
"""Contour Geometric Type (3006,0042) of what encloses an area (PS3.3 C.8.8.6.1); the others are points and lines."""

CONTOUR_DATA = 0x30060050


def facts(dataset: Any) -> dict[str, Any]:
    """Keys of `headers.Instance`: the ROIs and the images that they were drawn on."""
    by_frame: dict[str, list[str]] = {}
    sops = []
    for frame in dataset.get("ReferencedFrameOfReferenceSequence") or []:
        series = by_frame.setdefault(_text(frame, "FrameOfReferenceUID"), [])
        for referenced in _series_of(frame):
            series.append(_text(referenced, "SeriesInstanceUID"))
            images = referenced.get("ContourImageSequence") or []
            sops += [_text(image, "ReferencedSOPInstanceUID") for image in images]
    named = [uid for uids in by_frame.values() for uid in uids if uid]
    return {
        "referenced_series_uids": named,
        "referenced_sop_uids": [] if named else [uid for uid in sops if uid],
        "rois": _rois(dataset, by_frame),
    }


def contours(dataset: Any) -> dict[str, Any]:
    """The closed contours of every ROI.

    Returns:
        `rois`: a list of `{"number": ..., "contours": [[x, y, z, x, y, z, ...], ...]}`, millimetres, LPS.

    Raises:
        BrokenFileError: When the coordinates of a contour are no points.
    """
    found: dict[int, list[list[float]]] = {}
    for item in dataset.get("ROIContourSequence") or []:
        number = _number(item, "ReferencedROINumber")
        closed = [one for one in item.get("ContourSequence") or [] if _text(one, "ContourGeometricType") in CLOSED]
        found.setdefault(number, []).extend(_points(one, number) for one in closed)
    return {"rois": [{"number": number, "contours": points} for number, points in found.items()]}


def _series_of(frame: Any) -> Iterable[Any]:
    for study in frame.get("RTReferencedStudySequence") or []:
        yield from study.get("RTReferencedSeriesSequence") or []


def _rois(dataset: Any, by_frame: Mapping[str, list[str]]) -> list[dict[str, Any]]:
    kinds: dict[int, list[str]] = {}
    for item in dataset.get("ROIContourSequence") or []:
        drawn = item.get("ContourSequence") or []
        kinds.setdefault(_number(item, "ReferencedROINumber"), []).extend(
            _text(one, "ContourGeometricType") for one in drawn
        )
    observed = {_number(item, "ReferencedROINumber"): item for item in dataset.get("RTROIObservationsSequence") or []}
    found = []
    for item in dataset.get("StructureSetROISequence") or []:
        number = _number(item, "ROINumber")
        one = _roi(item, kinds.get(number, []), observed.get(number, {}))
        found.append({**one, "series_uids": by_frame.get(one["frame_of_reference"] or "", [])})
    return found


def _roi(item: Any, kinds: list[str], observed: Any) -> dict[str, Any]:
    number = _number(item, "ROINumber")
    closed = sum(kind in CLOSED for kind in kinds)
    code: Any = next(iter(observed.get("RTROIIdentificationCodeSequence") or []), {})
    return {
        "number": number,
        "name": _text(item, "ROIName") or f"ROI {number}",
        "frame_of_reference": _text(item, "ReferencedFrameOfReferenceUID") or None,
        "interpreted_type": _text(observed, "RTROIInterpretedType").upper(),
        "closed": closed,
        "ignored": len(kinds) - closed,
        "scheme": _text(code, "CodingSchemeDesignator"),
        "code": _text(code, "CodeValue"),
    }


def _points(contour: Any, number: int) -> list[float]:
    """The coordinates of one contour; parsed from the bytes, pydicom's decimal strings take ten times as long."""
    element = contour.get_item(CONTOUR_DATA)
    value = element.value if element is not None else None
    parts = value.split(b"\\") if isinstance(value, bytes) else ([] if value is None else value)
    try:
        points = [float(part) for part in parts]
    except (TypeError, ValueError) as error:
        raise BrokenFileError(f"a contour of ROI {number} holds no numbers") from error
    if not points or len(points) % 3 or not all(map(math.isfinite, points)):
        raise BrokenFileError(f"a contour of ROI {number} is not a list of points (x, y, z)")
    return points


def _number(item: Any, name: str) -> int:
    value = item.get(name)
    if value is None or value == "":
        raise BrokenFileError(f"a region of interest has no {name}")
    return int(value)


def _text(item: Any, name: str) -> str:
    """Text without a backslash: that parts values in DICOM, and names in the item of a reference."""
    value = item.get(name)
    return "/".join(map(str, value)).strip() if isinstance(value, MultiValue) else str(value or "").strip()
