"""What a DICOM header says, as plain JSON types; runs inside the decoder child."""

from __future__ import annotations

import math
from typing import Any

from pydicom.multival import MultiValue

from diascope.formats.dicomio import structures
from diascope.formats.dicomio.headers import STRUCTURE_SET
from diascope.formats.dicomio.parsing import BrokenFileError, Parsed, frame_count

MOST_FRAMES = 200_000
"""Frames that one file may describe."""


def of(parsed: Parsed) -> dict[str, Any]:
    """The keys of `headers.Instance`, without `path`.

    Raises:
        BrokenFileError: When the file names no SOP class, or the header contradicts itself.
    """
    dataset = parsed.dataset
    sop_class = _text(dataset, "SOPClassUID") or str(dataset.file_meta.get("MediaStorageSOPClassUID") or "")
    if not sop_class:
        raise BrokenFileError("no SOP class: not a DICOM object")
    planes = _planes(dataset)
    first = planes[0] if planes else {}
    return {
        "sop_class": sop_class,
        "sop_uid": _text(dataset, "SOPInstanceUID"),
        "study_uid": _text(dataset, "StudyInstanceUID"),
        "series_uid": _text(dataset, "SeriesInstanceUID"),
        "patient_id": _text(dataset, "PatientID"),
        "frame_of_reference": _text(dataset, "FrameOfReferenceUID") or None,
        "position": first.get("position"),
        "orientation": first.get("orientation"),
        "spacing": first.get("spacing"),
        "slice_thickness": first.get("thickness"),
        "planes": planes,
        **_description(dataset),
        **_pixels(parsed),
        **_dynamics(dataset),
        **_references(dataset),
        **(structures.facts(dataset) if sop_class == STRUCTURE_SET else {}),
    }


def as_json(parsed: Parsed) -> dict[str, Any]:
    """The header as DICOM JSON (PS3.18 F), without private elements and bulk data."""
    dataset = parsed.dataset
    dataset.remove_private_tags()
    keep = {tag: dataset[tag] for tag in list(dataset._dict) if dataset[tag].VR not in ("OB", "OW", "UN", "OF", "OD")}
    plain: dict[str, Any] = type(dataset)(None, keep).to_json_dict() if keep else {}
    return plain


def _description(dataset: Any) -> dict[str, Any]:
    return {
        "modality": _text(dataset, "Modality"),
        "series_description": _text(dataset, "SeriesDescription"),
        "protocol": _text(dataset, "ProtocolName"),
        "corrected": _texts(dataset, "CorrectedImage"),
        "image_type": _texts(dataset, "ImageType"),
        "body_part": _text(dataset, "BodyPartExamined") or None,
        "laterality": _text(dataset, "ImageLaterality") or _text(dataset, "Laterality") or None,
        "view": _text(dataset, "ViewPosition") or None,
        "manufacturer": _text(dataset, "Manufacturer") or None,
        "model": _text(dataset, "ManufacturerModelName") or None,
        "kvp": _number(dataset, "KVP", strict=False),
        "age": _age(_text(dataset, "PatientAge")),
        "sex": _text(dataset, "PatientSex") or None,
        "study_date": _text(dataset, "StudyDate") or None,
    }


def _pixels(parsed: Parsed) -> dict[str, Any]:
    dataset = parsed.dataset
    units = _text(dataset, "Units") if _text(dataset, "Modality") == "PT" else _text(dataset, "RescaleType")
    return {
        "rows": int(dataset.get("Rows") or 0),
        "columns": int(dataset.get("Columns") or 0),
        "frames": frame_count(dataset) if dataset.get("Rows") else 0,
        "samples": int(dataset.get("SamplesPerPixel") or 1),
        "bits_allocated": int(dataset.get("BitsAllocated") or 0),
        "bits_stored": int(dataset.get("BitsStored") or dataset.get("BitsAllocated") or 0),
        "signed": int(dataset.get("PixelRepresentation") or 0) == 1,
        "photometric": _text(dataset, "PhotometricInterpretation"),
        "transfer_syntax": str(parsed.syntax),
        "pixel_bytes": parsed.pixel_bytes,
        "value_unit": units,
        "value_table": bool(dataset.get("ModalityLUTSequence")),
        "tiled": "TotalPixelMatrixRows" in dataset,
        "spacing_is_imager": "PixelSpacing" not in dataset and "ImagerPixelSpacing" in dataset,
    }


def _dynamics(dataset: Any) -> dict[str, Any]:
    return {
        "instance_number": _number(dataset, "InstanceNumber", strict=False),
        "acquisition": _number(dataset, "AcquisitionNumber", strict=False),
        "temporal_position": _number(dataset, "TemporalPositionIdentifier", strict=False),
        "echo": _number(dataset, "EchoNumbers", strict=False),
        "echo_time": _number(dataset, "EchoTime", strict=False),
        "trigger_time": _number(dataset, "TriggerTime", strict=False),
        "b_value": _number(dataset, "DiffusionBValue", strict=False),
    }


def _references(dataset: Any) -> dict[str, Any]:
    """What a derived object refers to: Common Instance Reference, source images, and the segments of a SEG."""
    series, sops = [], []
    for item in dataset.get("ReferencedSeriesSequence") or []:
        series.append(_text(item, "SeriesInstanceUID"))
        for instance in item.get("ReferencedInstanceSequence") or item.get("ReferencedSOPSequence") or []:
            sops.append(_text(instance, "ReferencedSOPInstanceUID"))
    return {
        "referenced_series_uids": [uid for uid in series if uid],
        "referenced_sop_uids": [uid for uid in sops if uid],
        "segments": [_segment(item) for item in dataset.get("SegmentSequence") or []],
        "segmentation_type": _text(dataset, "SegmentationType"),
        "largest_fraction": int(dataset.get("MaximumFractionalValue") or 1),
    }


def _segment(item: Any) -> dict[str, Any]:
    code = next(iter(item.get("SegmentedPropertyTypeCodeSequence") or []), None)
    algorithm = next(iter(item.get("SegmentationAlgorithmIdentificationSequence") or []), None)
    return {
        "number": int(item.SegmentNumber),
        "name": _text(item, "SegmentLabel") or f"segment {item.SegmentNumber}",
        "scheme": _text(code, "CodingSchemeDesignator") if code is not None else "",
        "code": _text(code, "CodeValue") if code is not None else "",
        "algorithm": (_text(algorithm, "AlgorithmName") if algorithm is not None else "")
        or _text(item, "SegmentAlgorithmName"),
        "algorithm_version": _text(algorithm, "AlgorithmVersion") if algorithm is not None else "",
    }


def _planes(dataset: Any) -> list[dict[str, Any]]:
    """Where each frame is and how its values are scaled (PS3.3 C.7.6.16 for multi-frame functional groups)."""
    per_frame = dataset.get("PerFrameFunctionalGroupsSequence")
    if not per_frame:
        # A classic multi-frame object has one position for all frames at most: they are no slices.
        return [_classic_plane(dataset)]
    frames = frame_count(dataset)
    if len(per_frame) != frames or frames > MOST_FRAMES:
        raise BrokenFileError(f"{frames} frames are declared, {len(per_frame)} are described")
    shared: Any = next(iter(dataset.get("SharedFunctionalGroupsSequence") or []), {})
    return [_enhanced_plane(shared, item) for item in per_frame]


def _classic_plane(dataset: Any) -> dict[str, Any]:
    spacing = _numbers(dataset, "PixelSpacing", 2) or _numbers(dataset, "ImagerPixelSpacing", 2)
    if spacing is None:
        spacing = _region_spacing(dataset)
    return {
        "position": _numbers(dataset, "ImagePositionPatient", 3),
        "orientation": _numbers(dataset, "ImageOrientationPatient", 6),
        "spacing": spacing,
        "thickness": _number(dataset, "SliceThickness"),
        "between": _number(dataset, "SpacingBetweenSlices"),
        "slope": _number(dataset, "RescaleSlope", 1.0),
        "intercept": _number(dataset, "RescaleIntercept", 0.0),
    }


def _enhanced_plane(shared: Any, item: Any) -> dict[str, Any]:
    def group(name: str) -> Any:
        return next(iter(item.get(name) or shared.get(name) or []), {})

    measures, value = group("PixelMeasuresSequence"), group("PixelValueTransformationSequence")
    content = group("FrameContentSequence")
    plane = {
        "position": _numbers(group("PlanePositionSequence"), "ImagePositionPatient", 3),
        "orientation": _numbers(group("PlaneOrientationSequence"), "ImageOrientationPatient", 6),
        "spacing": _numbers(measures, "PixelSpacing", 2),
        "thickness": _number(measures, "SliceThickness"),
        "between": _number(measures, "SpacingBetweenSlices"),
        "slope": _number(value, "RescaleSlope", 1.0),
        "intercept": _number(value, "RescaleIntercept", 0.0),
        "unit": _text(value, "RescaleType"),
        "stack": _text(content, "StackID"),
        "temporal_position": _number(content, "TemporalPositionIndex"),
    }
    segment = group("SegmentIdentificationSequence")
    if segment:
        plane["segment"] = int(segment.ReferencedSegmentNumber)
    sources = next(iter(group("DerivationImageSequence").get("SourceImageSequence") or []), None) if segment else None
    if sources is not None:
        plane["source"] = _text(sources, "ReferencedSOPInstanceUID")
    return plane


def _region_spacing(dataset: Any) -> list[float] | None:
    """Millimetres a pixel of an ultrasound image, where its one region is calibrated (PS3.3 C.8.5.5)."""
    regions = dataset.get("SequenceOfUltrasoundRegions") or []
    if len(regions) != 1:
        return None
    region = regions[0]
    in_cm = int(region.get("PhysicalUnitsXDirection") or 0) == int(region.get("PhysicalUnitsYDirection") or 0) == 3
    y, x = _number(region, "PhysicalDeltaY"), _number(region, "PhysicalDeltaX")
    return [abs(y) * 10, abs(x) * 10] if in_cm and y and x else None


def _text(dataset: Any, name: str) -> str:
    value = dataset.get(name)
    if value is None:
        return ""
    return str(value[0] if isinstance(value, MultiValue) and value else value).strip()


def _texts(dataset: Any, name: str) -> list[str]:
    value = dataset.get(name)
    if value is None:
        return []
    return [str(part) for part in ([value] if isinstance(value, str) else value)]


def _number(dataset: Any, name: str, default: float | None = None, strict: bool = True) -> float | None:
    """A number; one that cannot be read is refused, or (`strict` False: it decides nothing) taken as absent."""
    try:
        text = _text(dataset, name)
        number = float(text) if text else default
    except ValueError as error:
        if strict:
            raise BrokenFileError(f"{name} is not a number") from error
        return default
    if number is not None and not math.isfinite(number):
        raise BrokenFileError(f"{name} is not finite")
    return number


def _numbers(dataset: Any, name: str, count: int) -> list[float] | None:
    value = dataset.get(name)
    if value is None or value == "" or (hasattr(value, "__len__") and len(value) == 0):
        return None
    try:
        numbers = [float(part) for part in value]
    except (TypeError, ValueError) as error:
        raise BrokenFileError(f"{name} is not a list of numbers") from error
    if len(numbers) != count or not all(math.isfinite(number) for number in numbers):
        raise BrokenFileError(f"{name} is not {count} finite numbers")
    return numbers


def _age(text: str) -> float | None:
    """Years of an age string (PS3.5 6.2, AS: `045Y`, `006M`)."""
    unit = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}.get(text[-1:])
    return round(int(text[:-1]) * unit, 4) if unit and text[:-1].isdigit() else None
