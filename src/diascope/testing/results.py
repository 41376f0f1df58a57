"""Results that leave: a small asymmetric DICOM series, what each task says of it, and who made it."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from PIL import Image as Pillow
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian
from pydicom.valuerep import format_number_as_ds as as_ds

from diascope.core.case import Label
from diascope.core.finding import Finding, Findings, Measure, Place, TextSpan, Threshold
from diascope.core.image import Image
from diascope.core.result import Algorithm, Made

SHAPE, SPACING, ORIGIN = (6, 10, 12), (2.5, 0.7, 1.1), (7.0, -8.0, 9.0)
EIGHT = (
    (1, 0, 0, 0, 1, 0), (-1, 0, 0, 0, 1, 0), (1, 0, 0, 0, -1, 0), (-1, 0, 0, 0, -1, 0),
    (1, 0, 0, 0, 0, -1), (-1, 0, 0, 0, 0, 1), (0, 1, 0, 0, 0, -1), (0, -1, 0, 0, 0, 1),
)  # fmt: skip
"""Axial, coronal and sagittal, turned and mirrored: direction of growing column, then of growing row index."""

NAME, NUMBER = "Zyxwolf^Quentin", "PHI-4711"
"""Of the patient: they must not be seen where nobody asked for them."""
AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
MADE_BY = Algorithm(name="lung-nodules", version="3", seal="ab" * 32, calibration="sha256:0123456789abcdef")
LABELS = (Label(name="nodule", value=1, code="SCT:27925004"), Label(name="胸腔积液", value=2))


def a_series(folder: Path, orientation: tuple[float, ...] = EIGHT[0], **elements: Any) -> list[Path]:
    """Slices of CT in no order; `elements` replace or (None) remove elements."""
    axes = np.array(orientation, dtype=float)
    normal = np.cross(axes[:3], axes[3:])
    paths: list[Path] = []
    for k in (3, 0, 5, 1, 4, 2):
        place = np.array(ORIGIN) + k * SPACING[0] * normal
        content = {
            "SOPClassUID": CTImageStorage, "SOPInstanceUID": f"1.2.9.{k + 1}", "Modality": "CT",
            "StudyInstanceUID": "1.3", "SeriesInstanceUID": "1.4", "FrameOfReferenceUID": "1.5",
            "PatientID": NUMBER, "PatientName": NAME, "PatientBirthDate": "19700102", "PatientSex": "F",
            "StudyDate": "20200101", "StudyTime": "101010", "StudyID": "S1", "AccessionNumber": "A1",
            "SeriesNumber": 2, "InstanceNumber": k + 1, "ReferringPhysicianName": "", "Manufacturer": "Phantom",
            "ImagePositionPatient": [as_ds(float(v)) for v in place],
            "ImageOrientationPatient": [as_ds(float(v)) for v in axes],
            "PixelSpacing": list(SPACING[1:]), "SliceThickness": SPACING[0], "Rows": SHAPE[1], "Columns": SHAPE[2],
            "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2", "BitsAllocated": 16, "BitsStored": 16,
            "HighBit": 15, "PixelRepresentation": 1, "PixelData": np.full(SHAPE[1:], k, "<i2").tobytes(),
        }  # fmt: skip
        meta = FileMetaDataset()
        meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, CTImageStorage
        meta.MediaStorageSOPInstanceUID = UID(f"1.2.9.{k + 1}")
        one = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
        one.SpecificCharacterSet = "ISO_IR 192"
        for name, value in {**content, **elements}.items():
            if isinstance(value, pydicom.DataElement):
                one[value.tag] = value
            elif value is not None:
                setattr(one, name, value)
        paths.append(folder / f"s{len(paths)}.dcm")
        one.save_as(paths[-1], enforce_file_format=True)
    return paths


def a_mask(image: Image) -> Image:
    """Two structures without any symmetry."""
    array = np.zeros((1, *image.shape), np.uint8)
    array[0, 1:4, 2:5, 3:11] = 1
    array[0, 4, 7, 1:3] = 2
    array[0, 1, 2, 3] = 0
    return Image(array, image.geometry, image.modality, "label", {"labels": LABELS})


def a_picture() -> bytes:
    """A PNG."""
    content = io.BytesIO()
    Pillow.fromarray(np.arange(64 * 48, dtype=np.uint8).reshape(48, 64)).save(content, "PNG")
    return content.getvalue()


def a_made(**changes: Any) -> Made:
    """A result of `MADE_BY` that nobody reviewed."""
    plain: dict[str, Any] = {"result": "r1", "at": AT, "algorithm": MADE_BY, "picture": a_picture()}
    return Made(**{**plain, "report": b"%PDF-1.4 nothing", **changes})


def some_findings(*said: Finding, **changes: Any) -> Findings:
    """What `MADE_BY` said of the series of `a_series`."""
    plain: dict[str, Any] = {
        "release": f"{MADE_BY.label} {MADE_BY.seal[:16]}", "signed_by": None, "task": "any", "case": "case-1",
        "inputs": {"image": tuple(f"1.2.9.{k + 1}" for k in range(SHAPE[0]))}, "backend": "torch fp32",
        "created": AT.isoformat(), "findings": said, "notes": ("the spacing was corrected",),
    }  # fmt: skip
    return Findings(**{**plain, **changes})


def _sure(value: float) -> dict[str, Measure]:
    return {"probability": Measure(value=value, note="calibrated on cases not trained on")}


_POINT = Threshold(of="nodule", value=0.31, rule="youden")
_RULE: dict[str, Any] = {"rule": "probability >= 0.31 (Youden, validation)", "operating_point": _POINT}
_RISK = Measure(value=0.21, low=0.1, high=0.35, note="probability of the event until 5 years")
BOX = Place(start=(1, 2, 3), stop=(4, 5, 11), centre_mm=(14.15, -6.25, 14.0))
ABSTAINED = Finding(concept="effusion", status="abstained", reason="not available, because too few cases: 3")

SAID: dict[str, tuple[Finding, ...]] = {
    "classes": (
        Finding(concept="nodule", code="SCT:27925004", status="present", measures=_sure(0.87), **_RULE),
        Finding(concept="no nodule", status="absent", measures=_sure(0.13), **_RULE),
    ),
    "labels": (Finding(concept="nodule", status="absent", measures=_sure(0.02), **_RULE), ABSTAINED),
    "grades": (
        Finding(
            concept="grade 2", status="present", measures=_sure(0.6), rule="the median",
            operating_point=Threshold(of="grade 2", rule="median"),
        ),
    ),
    "boxes": (
        Finding(
            concept="nodule", code="SCT:27925004", status="present", place=BOX, **_RULE,
            measures={
                **_sure(0.9), "width": Measure(value=8.8, unit="mm"), "height": Measure(value=2.1, unit="mm"),
                "depth": Measure(value=7.5, unit="mm"),
            },
        ),
        Finding(concept="cyst", status="absent", **_RULE),
    ),
    "masks": (
        Finding(
            concept="nodule", code="SCT:27925004", status="present", place=BOX, rule="the largest",
            operating_point=Threshold(measure="probability of the voxel", of="nodule", rule="largest"),
            measures={
                "volume": Measure(value=0.1367, unit="mL"),
                "confidence": Measure(value=0.8, note="mean probability of its voxels, not calibrated"),
            },
        ),
        Finding(concept="胸腔积液", status="present", measures={"volume": Measure(value=2.0, unit="{pixels}")}),
    ),
    "number": (
        Finding(
            concept="age", status="measured", rule="the mean",
            measures={"value": Measure(value=71.5, unit="years", low=60, high=83, note="90% prediction interval")},
        ),
    ),
    "curve": (
        Finding(
            concept="death", status="measured", rule="high risk: above the median",
            measures={"risk_until_5": _RISK, "median_survival": Measure(value=None, unit="years", note="not reached")},
        ),
    ),
    "causes": (Finding(concept="relapse", status="measured", measures={"risk_until_5": _RISK}, rule="low"),),
    "image": (
        Finding(
            concept="full dose", status="measured", rule="the mean",
            measures={"expected_error": Measure(value=12.0, unit="HU", low=0, high=30, note="of the validation cases")},
        ),
    ),
    "nothing": (),
    "spans": (
        Finding(
            concept="nodule", status="present", span=TextSpan(input="report", start=3, stop=9, text="nodule"),
            measures={"confidence": Measure(value=0.7, note="calibrated on cases not trained on")}, **_RULE,
        ),
    ),
}  # fmt: skip
"""What a release says of a case, by what it says: one for each task."""
