"""DICOM CT series and segmentations of invented patients."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from highdicom.seg import Segmentation, SegmentDescription
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from diascope.core.geometry import Array
from diascope.sources.phantoms.scanner import Protocol, Scanner

SEGMENTS: tuple[tuple[str, Any, Any], ...] = (
    ("liver", codes.SCT.AnatomicalStructure, codes.SCT.Liver),
    ("lesion", codes.SCT.MorphologicallyAbnormalStructure, codes.SCT.Lesion),
)
"""Name, category and type of each segment; its number is the value in the mask."""
MADE_BY = "Diascope Phantoms"


@dataclass(frozen=True)
class Study:
    """What the headers of one invented study say."""

    patient: str
    age: int
    sex: str
    scanner: Scanner
    protocol: Protocol
    number: int

    def uid(self, *what: object) -> str:
        """A UID that depends on the patient and on what it names, and on nothing else."""
        return str(generate_uid(entropy_srcs=["diascope phantom 1", self.patient, *map(str, what)]))

    @property
    def date(self) -> str:
        """Day of the study, in 2024."""
        return f"2024{1 + self.number % 12:02d}{1 + self.number % 28:02d}"


def write_ct(study: Study, hu: npt.NDArray[np.int16], folder: Path) -> list[Dataset]:
    """Write one file a slice, named and numbered from the head in every second patient: only geometry gives the order.

    Args:
        study: For the headers.
        hu: (Z, Y, X).
        folder: Where to write.

    Returns:
        The data sets in the order of the array.
    """
    folder.mkdir(parents=True, exist_ok=True)
    common, geometry, count = _common(study), study.protocol.geometry, len(hu)
    positions: Array = geometry.to_mm([(z, 0, 0) for z in range(count)])
    slices = []
    for z in range(count):
        one = Dataset()
        one.update(common)
        number = z + 1 if study.number % 2 else count - z
        one.SOPInstanceUID = study.uid("slice", z)
        one.InstanceNumber = number
        one.ImagePositionPatient = [_decimal(value) for value in positions[z]]
        one.PixelData = hu[z].astype("<i2").tobytes()
        one["PixelData"].VR = "OW"
        one.file_meta = FileMetaDataset()
        one.file_meta.MediaStorageSOPClassUID = CTImageStorage
        one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID
        one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        pydicom.dcmwrite(folder / f"{number:04d}.dcm", one, enforce_file_format=True)
        slices.append(one)
    return slices


def _common(study: Study) -> Dataset:
    """Everything that all slices share (PS3.3 A.3.3, CT Image IOD modules)."""
    scanner, protocol, data = study.scanner, study.protocol, Dataset()
    data.SpecificCharacterSet = "ISO_IR 192"
    data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    data.SOPClassUID = CTImageStorage
    data.StudyDate = data.SeriesDate = data.AcquisitionDate = data.ContentDate = study.date
    data.StudyTime = data.SeriesTime = data.AcquisitionTime = data.ContentTime = "120000"
    data.AccessionNumber = ""
    data.Modality = "CT"
    data.Manufacturer, data.ManufacturerModelName = scanner.maker, scanner.model
    data.InstitutionName = scanner.site
    data.ReferringPhysicianName = ""
    data.StudyDescription, data.SeriesDescription = "Invented abdomen", "Portal venous"
    data.PatientName = f"Phantom^{study.patient}"
    data.PatientID = study.patient
    data.PatientBirthDate = ""
    data.PatientSex, data.PatientAge = study.sex, f"{study.age:03d}Y"
    data.BodyPartExamined = "ABDOMEN"
    data.SliceThickness = _decimal(protocol.geometry.spacing[0])
    data.KVP = 120
    data.XRayTubeCurrent, data.ExposureTime, data.Exposure = 2 * protocol.exposure, 500, protocol.exposure
    data.ConvolutionKernel = scanner.kernel
    data.DeviceSerialNumber, data.SoftwareVersions = "0", "1"
    data.PatientPosition = "HFS"
    data.StudyInstanceUID, data.SeriesInstanceUID = study.uid("study"), study.uid("series")
    data.StudyID, data.SeriesNumber, data.AcquisitionNumber = "1", 1, 1
    directions = protocol.geometry.directions
    data.ImageOrientationPatient = [_decimal(value) for value in (*directions[:, 2], *directions[:, 1])]
    data.FrameOfReferenceUID = study.uid("frame")
    data.PositionReferenceIndicator = ""
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.Rows, data.Columns = protocol.shape[1:]
    data.PixelSpacing = [_decimal(value) for value in protocol.geometry.spacing[1:]]
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 1
    data.RescaleIntercept, data.RescaleSlope, data.RescaleType = 0, 1, "HU"
    data.WindowCenter, data.WindowWidth = 60, 400
    return data


def write_seg(study: Study, labels: npt.NDArray[np.uint8], slices: list[Dataset], path: Path) -> None:
    """Write the label map as a binary DICOM segmentation that refers to the slices; empty frames are left out.

    So do most programs (highdicom's default, PS3.3 A.51): what reads it must find the place of each frame.

    Args:
        study: For the headers.
        labels: (Z, Y, X), values as in `SEGMENTS`.
        slices: What `write_ct` gave.
        path: File.
    """
    described = [
        SegmentDescription(
            segment_number=number,
            segment_label=name,
            segmented_property_category=category,
            segmented_property_type=kind,
            algorithm_type="MANUAL",
            tracking_uid=study.uid("segment", number),
            tracking_id=f"{study.patient} {name}",
        )
        for number, (name, category, kind) in enumerate(SEGMENTS, start=1)
    ]
    file: Any = Segmentation(
        source_images=slices,
        pixel_array=labels,
        segmentation_type="BINARY",
        omit_empty_frames=True,
        segment_descriptions=described,
        series_instance_uid=study.uid("seg series"),
        series_number=2,
        sop_instance_uid=study.uid("seg"),
        instance_number=1,
        manufacturer=MADE_BY,
        manufacturer_model_name=MADE_BY,
        software_versions="1",
        device_serial_number="0",
        series_description="Truth",
    )
    _pin(file, study)
    path.parent.mkdir(parents=True, exist_ok=True)
    file.save_as(path)


def _pin(file: Any, study: Study) -> None:
    """Replace what highdicom takes from the clock or draws, so that a seed gives the same bytes."""
    organisation = study.uid("dimensions")
    for item in (*file.DimensionOrganizationSequence, *file.DimensionIndexSequence):
        item.DimensionOrganizationUID = organisation
    for item in file.get("ContributingEquipmentSequence", []):
        item.ContributionDateTime = f"{study.date}120000"
    for name in ("SeriesDate", "ContentDate", "InstanceCreationDate", "AcquisitionDate"):
        if name in file:
            setattr(file, name, study.date)
    for name in ("SeriesTime", "ContentTime", "InstanceCreationTime", "AcquisitionTime"):
        if name in file:
            setattr(file, name, "120000")


def _decimal(value: float) -> str:
    """A Decimal String: at most 16 characters (PS3.5 6.2)."""
    return f"{value:.10g}"
