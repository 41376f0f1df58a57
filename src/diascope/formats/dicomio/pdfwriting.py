"""A report as a PDF in a DICOM object (Encapsulated PDF, PS3.3 A.45.1)."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import highdicom as hd
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.sr.coding import Code
from pydicom.uid import PYDICOM_IMPLEMENTATION_UID, UID, EncapsulatedPDFStorage, ExplicitVRLittleEndian

from diascope.core.errors import BadUsage
from diascope.core.result import Made
from diascope.formats.dicomio.derived import Source, quietly, series_number
from diascope.formats.dicomio.scwriting import references

TITLE = Code("126000", "DCM", "Imaging Measurement Report")
START = b"%PDF-"


def document_of(source: Source, made: Made) -> Any:
    """The document as a data set, without the patient.

    Raises:
        BadUsage: Without a PDF.
    """
    if made.report is None or not made.report.startswith(START):
        raise BadUsage("an encapsulated PDF needs a report", todo="Set `report` of what was made")
    first = source.datasets[0]
    with quietly():
        document = encapsulated(made.report, made.uid("pdf"), made.uid("pdf series"), made.is_final)
        document.StudyInstanceUID = first.StudyInstanceUID
        document.SeriesNumber = series_number(first) + 3
        document.DocumentTitle = f"Report of {made.algorithm.name}"[:1024]
        document.SourceInstanceSequence = references(source.datasets)
    return document


def encapsulated(report: bytes, uid: str, series: str, is_verified: bool) -> Any:
    """A PDF as a data set that does not say yet of which study it is, nor of what it was made.

    Args:
        report: The PDF.
        uid: SOP instance UID.
        series: Series instance UID.
        is_verified: Whether a reader stands for what it says.
    """
    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, EncapsulatedPDFStorage
    meta.MediaStorageSOPInstanceUID = UID(uid)
    meta.ImplementationClassUID = PYDICOM_IMPLEMENTATION_UID
    meta.ImplementationVersionName = f"DIASCOPE {version('diascope')}"[:16]
    document = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    document.SOPClassUID, document.SOPInstanceUID = EncapsulatedPDFStorage, uid
    document.SeriesInstanceUID, document.Modality, document.InstanceNumber = series, "DOC", 1
    document.ConversionType = "WSD"
    document.AcquisitionDateTime = None
    document.BurnedInAnnotation = "YES"  # the report names the patient, so that a print can be told apart
    document.VerificationFlag = "VERIFIED" if is_verified else "UNVERIFIED"
    document.ConceptNameCodeSequence = [hd.sr.CodedConcept.from_code(TITLE)]
    document.MIMETypeOfEncapsulatedDocument = "application/pdf"
    document.EncapsulatedDocument = report + b"\0" * (len(report) % 2)
    document.EncapsulatedDocumentLength = len(report)
    document.SpecificCharacterSet = "ISO_IR 192"
    return document
