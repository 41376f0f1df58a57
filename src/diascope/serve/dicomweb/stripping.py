"""A header for those who may not see identities: what is on a positive list, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from diascope.formats.dicomio import indexing
from diascope.serve.dicomweb.elements import Model, model, tag_of

UIDS_AND_KIND = (
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "Modality",
    "StudyDate", "StudyTime", "SeriesDate", "SeriesTime", "StudyDescription", "SeriesDescription", "SeriesNumber",
    "InstanceNumber", "BodyPartExamined", "NumberOfFrames", "Laterality",
    "SpecificCharacterSet", "AvailableTransferSyntaxUID", "PresentationIntentType",
)  # fmt: skip
PIXELS = (
    "Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "BitsAllocated",
    "BitsStored", "HighBit", "PixelRepresentation", "SmallestImagePixelValue", "LargestImagePixelValue",
    "PixelPaddingValue", "PixelPaddingRangeLimit", "PixelAspectRatio", "RescaleSlope", "RescaleIntercept",
    "RescaleType", "WindowCenter", "WindowWidth", "VOILUTFunction",
    "PresentationLUTShape", "LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod",
    "RedPaletteColorLookupTableDescriptor", "GreenPaletteColorLookupTableDescriptor",
    "BluePaletteColorLookupTableDescriptor", "PixelData", "FloatPixelData", "DoubleFloatPixelData", "Units",
    "BurnedInAnnotation", "QualityControlImage", "RecognizableVisualFeatures",
)  # fmt: skip
GEOMETRY = (
    "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "ImagerPixelSpacing",
    "NominalScannedPixelSpacing", "SliceThickness", "SpacingBetweenSlices", "SliceLocation", "GantryDetectorTilt",
    "PositionReferenceIndicator", "PatientPosition", "ViewPosition", "ImageLaterality", "TemporalPositionIndex",
    "TemporalPositionIdentifier", "NumberOfTemporalPositions", "StackID", "InStackPositionNumber",
    "DimensionIndexValues", "DimensionOrganizationType", "DimensionOrganizationUID", "DimensionIndexPointer",
    "FunctionalGroupPointer", "FrameAcquisitionNumber", "FrameType", "TotalPixelMatrixColumns", "TotalPixelMatrixRows",
    "FrameIncrementPointer", "FrameTime", "CineRate", "RecommendedDisplayFrameRate",
)  # fmt: skip
SEQUENCES = (
    "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "PixelMeasuresSequence",
    "PlanePositionSequence", "PlaneOrientationSequence", "FrameContentSequence", "FrameVOILUTSequence",
    "PixelValueTransformationSequence", "DimensionIndexSequence", "DimensionOrganizationSequence",
    "SegmentSequence", "SegmentIdentificationSequence", "DerivationImageSequence", "SourceImageSequence",
    "ReferencedSeriesSequence", "ReferencedInstanceSequence", "ReferencedImageSequence",
    "SequenceOfUltrasoundRegions", "FrameAnatomySequence", "AnatomicRegionSequence", "CTImageFrameTypeSequence",
    "MRImageFrameTypeSequence", "SegmentedPropertyCategoryCodeSequence", "SegmentedPropertyTypeCodeSequence",
)  # fmt: skip
INSIDE = (
    "ReferencedSOPClassUID", "ReferencedSOPInstanceUID", "ReferencedFrameNumber", "ReferencedSegmentNumber",
    "SegmentNumber", "SegmentLabel", "SegmentAlgorithmType", "SegmentAlgorithmName", "SegmentationType",
    "RecommendedDisplayCIELabValue", "CodeValue", "CodingSchemeDesignator", "CodeMeaning", "FrameLaterality",
    "PhysicalUnitsXDirection", "PhysicalUnitsYDirection", "PhysicalDeltaX", "PhysicalDeltaY", "RegionSpatialFormat",
    "RegionDataType", "RegionFlags", "RegionLocationMinX0", "RegionLocationMinY0", "RegionLocationMaxX1",
    "RegionLocationMaxY1", "ReferencePixelX0", "ReferencePixelY0", "MaximumFractionalValue",
    "SegmentationFractionalType",
)  # fmt: skip
OF_THE_SCAN = (*indexing.SERIES, *indexing.INSTANCE)
"""What the index keeps and shows to everybody who may see the study."""

KEPT = frozenset(tag_of(keyword) for keyword in (*UIDS_AND_KIND, *PIXELS, *GEOMETRY, *SEQUENCES, *INSIDE, *OF_THE_SCAN))
"""Tags. Free text of a person who typed is on it only where the index shows it as well: descriptions of study, series,
protocol."""


def stripped(header: Mapping[str, Any], pseudonym: str) -> Model:
    """What of a header may be seen with a pseudonym instead of the identity.

    Args:
        header: DICOM JSON.
        pseudonym: Of the patient.
    """
    found = _kept(header)
    return dict(sorted((found | model({"PatientName": pseudonym, "PatientID": pseudonym})).items()))


def _kept(header: Mapping[str, Any]) -> Model:
    found: Model = {}
    for tag, entry in header.items():
        if tag not in KEPT:
            continue
        if entry.get("vr") == "SQ":
            entry = {"vr": "SQ", "Value": [_kept(item) for item in entry.get("Value", [])]}
        found[tag] = entry
    return found
