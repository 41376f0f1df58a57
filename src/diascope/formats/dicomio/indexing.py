"""What an archive must know of an object: UIDs, identity, and what is asked for; runs inside the decoder child.

One parse gives everything. Identity is in its own part of the answer and nowhere else (decision 0016). No text of the
file is ever part of a reason, for a reason is logged.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from pydicom.dataelem import RawDataElement
from pydicom.multival import MultiValue
from pydicom.pixels.decoders.base import get_decoder
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag, Tag

from diascope.formats.dicomio import nesting
from diascope.formats.dicomio.parsing import BrokenFileError, Parsed, check_size, frame_count
from diascope.formats.dicomio.pixels import decode_each
from diascope.formats.dicomio.uids import is_uid

STUDY = ("TimezoneOffsetFromUTC",)
"""Keywords that are kept of a study, beside its columns (PS3.18 Table 10.6.3-3)."""

SERIES = (
    "Manufacturer", "ManufacturerModelName", "SoftwareVersions", "SeriesDate", "SeriesTime", "TimezoneOffsetFromUTC",
    "PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime", "PerformedProcedureStepDescription",
    "ProtocolName", "Laterality", "PatientPosition", "ViewPosition", "ImageType", "ContrastBolusAgent",
    "ConvolutionKernel", "SliceThickness", "SpacingBetweenSlices", "PixelSpacing", "ImagerPixelSpacing", "KVP",
    "MagneticFieldStrength", "ScanningSequence", "SequenceVariant", "RepetitionTime", "EchoTime",
    "FrameOfReferenceUID",
)  # fmt: skip
"""Keywords that are kept of a series, as its first instance has them (Table 10.6.3-4, and what rules ask for)."""

INSTANCE = (
    "ImageType", "ImageLaterality", "TimezoneOffsetFromUTC", "AcquisitionNumber", "AcquisitionDate", "AcquisitionTime",
    "ContentDate", "ContentTime", "BitsAllocated", "BitsStored", "SamplesPerPixel", "PhotometricInterpretation",
    "ImagePositionPatient", "ImageOrientationPatient", "SliceLocation", "SliceThickness", "PixelSpacing",
    "WindowCenter", "WindowWidth", "RescaleSlope", "RescaleIntercept", "LossyImageCompression", "BurnedInAnnotation",
)  # fmt: skip
"""Keywords that are kept of an instance, beside its columns (Table 10.6.3-5, and what viewers ask for)."""

IDENTITY = {
    "name": "PatientName",
    "number": "PatientID",
    "issuer": "IssuerOfPatientID",
    "birth_date": "PatientBirthDate",
    "sex": "PatientSex",
    "accession": "AccessionNumber",
    "study_number": "StudyID",
    "referring": "ReferringPhysicianName",
    "performing": "PerformingPhysicianName",
    "requesting": "RequestingPhysician",
    "reading": "NameOfPhysiciansReadingStudy",
}
"""Part of the identity to keyword."""

LONGEST_TEXT = 1024
"""Characters of a text that are kept; DICOM allows 64 for most, 10240 for a few that are not kept here."""

LONGEST_INDEXED = 256
"""The same of a text that is part of an index: PostgreSQL takes 2.7 kB there. LO has 64 (PS3.5 6.2)."""

LONGEST_ELEMENT = 64 << 10
"""Bytes that an element which is looked at may have."""

LONGEST_IDENTITY = 1024
"""Characters that a part of the identity may have: more is refused, for half a name is another name."""

UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]")
"""Not kept: they break logs and terminals, and PostgreSQL takes no NUL."""

ASCII = frozenset(("AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI"))
"""Value representations of which the bytes are the text, whatever the character set (PS3.5 6.2): not converted."""

LARGEST_NUMBER = 2**31 - 1

LARGEST_NATIVE = 128 << 20
"""Uncompressed pixels beyond this are not read by `check`: any bits are a value, so that their number is enough."""

OLDEST = 89
"""Years: a higher age tells who it is (45 CFR 164.514), and is kept as `090Y`."""


class Reader:
    """Values of a data set as clean text; remembers what could not be read.

    Args:
        dataset: The data set.
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        self.odd: list[str] = []

    def text(self, keyword: str) -> str:
        """A value as text, values of a list separated by a backslash; "" where it is absent or unreadable."""
        try:
            text = self.exact(keyword)
        except BrokenFileError:
            self.odd.append(keyword)
            return ""
        if len(text) > LONGEST_TEXT:
            self.odd.append(keyword)
        return text[:LONGEST_TEXT].strip()

    def exact(self, keyword: str) -> str:
        """A value as text, without what can't be printed.

        Raises:
            BrokenFileError: When it can't be read.
        """
        return UNPRINTABLE.sub("", self._raw(keyword)).strip()

    def _raw(self, keyword: str) -> str:
        tag = _tag(keyword)
        element = self.dataset._dict.get(tag)
        if element is None:
            return ""
        if isinstance(element, RawDataElement) and (element.length or 0) > LONGEST_ELEMENT:
            raise BrokenFileError(f"{keyword} has {element.length} bytes")
        if isinstance(element, RawDataElement) and element.VR in ASCII and element.value and element.value.isascii():
            return "\\".join(part.strip(" \0") for part in element.value.decode("ascii").split("\\"))
        try:
            value = self.dataset[tag].value
            texts = [_plain(part) for part in (value if isinstance(value, (MultiValue, list)) else [value])]
        except Exception as error:  # pydicom raises what its converters raise: nearly anything
            raise BrokenFileError(f"{keyword} cannot be read ({type(error).__name__})") from error
        return "\\".join(texts)

    def number(self, keyword: str) -> int | None:
        """A whole number that a database column can hold, or None."""
        text = self.text(keyword).split("\\")[0]
        try:
            number = int(float(text)) if text else None
        except (ValueError, OverflowError):
            self.odd.append(keyword)
            return None
        return number if number is None or abs(number) <= LARGEST_NUMBER else None

    def uid(self, keyword: str) -> str:
        """A UID.

        Raises:
            BrokenFileError: When it is absent, or no UID.
        """
        text = self._raw(keyword).strip("\0 ")
        if not text:
            raise BrokenFileError(f"no {keyword}")
        if not is_uid(text):
            raise BrokenFileError(f"{keyword} is no UID")
        return text

    def kept(self, keywords: tuple[str, ...]) -> dict[str, str]:
        """Those of the keywords that have a value."""
        found = {keyword: self.text(keyword) for keyword in keywords}
        return {keyword: text for keyword, text in found.items() if text}


def index(parsed: Parsed) -> dict[str, Any]:
    """Everything that is indexed of one object, as plain JSON types.

    Returns:
        `sop_class sop_uid study_uid series_uid syntax meta`; `identity`; `study`, `series` and `instance` with their
        columns and `attributes` (keyword to text); `expected` (number of instances of the series, where it says so);
        `preamble` (whether the 128 bytes before DICM hold anything); `odd` (keywords that could not be read).

    Raises:
        BrokenFileError: With the reason; no text of the file is in it.
    """
    nesting.check_depth(parsed.dataset)
    read = Reader(parsed.dataset)
    answer = {
        "sop_class": read.uid("SOPClassUID"),
        "sop_uid": read.uid("SOPInstanceUID"),
        "study_uid": read.uid("StudyInstanceUID"),
        "series_uid": read.uid("SeriesInstanceUID"),
        "syntax": _syntax(parsed),
        "meta": _meta(parsed),
        "preamble": any(getattr(parsed.dataset, "preamble", None) or b""),
        "identity": _identity(read),
        "study": _study(read),
        "series": _series(read),
        "instance": _instance(read, parsed),
        "expected": _expected(read),
    }
    return {**answer, "odd": sorted(set(read.odd))}


def check(parsed: Parsed) -> dict[str, Any]:
    """Decode every frame into nothing.

    Returns:
        `frames`: how many were decoded; 0 for an object without pixels.

    Raises:
        BrokenFileError: With the reason; no text of the file is in it.
    """
    nesting.check_depth(parsed.dataset)
    if parsed.pixel_bytes == 0 and "Rows" not in parsed.dataset:
        return {"frames": 0}
    check_size(parsed)
    if not parsed.syntax.is_encapsulated and parsed.pixel_bytes > LARGEST_NATIVE:
        parsed.check_native()
        return {"frames": frame_count(parsed.dataset)}
    try:
        get_decoder(parsed.syntax)
    except NotImplementedError as error:
        raise BrokenFileError("there is no decoder for its transfer syntax") from error
    return {"frames": decode_each(parsed)}


def _syntax(parsed: Parsed) -> str:
    """The transfer syntax, which a file must name: guessing is for folders, not for an archive."""
    text = str(parsed.dataset.file_meta.get("TransferSyntaxUID") or "").strip("\0 ")
    if not is_uid(text):
        raise BrokenFileError("the transfer syntax is no UID")
    return text


def _meta(parsed: Parsed) -> dict[str, str]:
    """What the meta header says that it is; "" where that is no UID."""
    read = Reader(parsed.dataset.file_meta)
    found = {"sop_class": "MediaStorageSOPClassUID", "sop_uid": "MediaStorageSOPInstanceUID"}
    texts = {name: read.text(keyword) for name, keyword in found.items()}
    return {name: text if is_uid(text) else "" for name, text in texts.items()}


def _identity(read: Reader) -> dict[str, str]:
    """Who it is, as the character set of the object says.

    Raises:
        BrokenFileError: When a part can't be read: an object of somebody unknown must not be filed under somebody.
    """
    found = {name: read.exact(keyword) for name, keyword in IDENTITY.items()}
    others = [read.exact("OtherPatientIDs")]
    others += [Reader(item).exact("PatientID") for item in _items(read, "OtherPatientIDsSequence")[:100]]
    found["other_numbers"] = "\\".join(dict.fromkeys(filter(None, others)))
    issuers = _items(read, "IssuerOfAccessionNumberSequence")[:1]
    found["accession_issuer"] = "".join(Reader(item).exact("LocalNamespaceEntityID") for item in issuers)
    for name, text in found.items():
        if len(text) > LONGEST_IDENTITY:
            raise BrokenFileError(f"{IDENTITY.get(name, name)} has {len(text)} characters")
    found["birth_date"] = _date(found["birth_date"])
    found["sex"] = found["sex"] if found["sex"] in ("M", "F", "O") else ""
    return found


def _study(read: Reader) -> dict[str, Any]:
    attributes = read.kept(STUDY)
    if age := _age(read.text("PatientAge")):
        attributes["PatientAge"] = age
    return {
        "date": _date(read.text("StudyDate")),
        "time": _time(read.text("StudyTime")),
        "description": read.text("StudyDescription")[:LONGEST_INDEXED],
        "attributes": attributes,
    }


def _series(read: Reader) -> dict[str, Any]:
    attributes = read.kept(SERIES)
    shared = next(iter(_items(read, "SharedFunctionalGroupsSequence")), None)
    measures = next(iter(_items(Reader(shared), "PixelMeasuresSequence")), None) if shared is not None else None
    if measures is not None:  # an enhanced object keeps them there (PS3.3 C.7.6.16.2.1)
        attributes |= Reader(measures).kept(("SliceThickness", "SpacingBetweenSlices", "PixelSpacing"))
    return {
        "modality": read.text("Modality")[:16],
        "body_part": read.text("BodyPartExamined")[:64],
        "description": read.text("SeriesDescription"),
        "number": read.number("SeriesNumber"),
        "attributes": attributes,
    }


def _instance(read: Reader, parsed: Parsed) -> dict[str, Any]:
    rows, columns, frames = (read.number(keyword) for keyword in ("Rows", "Columns", "NumberOfFrames"))
    if frames is not None and not 0 <= frames <= LARGEST_NUMBER:
        raise BrokenFileError(f"NumberOfFrames is {frames}")
    if rows and columns and parsed.pixel_bytes:
        check_size(parsed)
    elif (frames or 0) > 1 and parsed.pixel_bytes == 0:
        raise BrokenFileError(f"{frames} frames are declared, and there are no pixels")
    return {
        "number": read.number("InstanceNumber"),
        "rows": rows,
        "columns": columns,
        "frames": (frames or 1) if rows else None,
        "attributes": read.kept(INSTANCE),
    }


def _expected(read: Reader) -> int | None:
    number = read.number("NumberOfSeriesRelatedInstances")
    return number if number is not None and 0 < number <= 1_000_000 else None


def _items(read: Reader, keyword: str) -> list[Any]:
    try:
        value = read.dataset.get(keyword)
    except Exception:  # as in `exact`: whatever pydicom's converters raise
        read.odd.append(keyword)
        return []
    return list(value) if isinstance(value, Sequence) else []


@cache
def _tag(keyword: str) -> BaseTag:
    return Tag(keyword)


def _plain(value: object) -> str:
    """One value as text."""
    if value is None or isinstance(value, Sequence):
        return ""
    if isinstance(value, bytes):
        return value.decode("ascii", "replace")
    return str(value)


def _date(text: str) -> str:
    return text if re.fullmatch(r"[0-9]{8}", text) else ""


def _time(text: str) -> str:
    return text if re.fullmatch(r"[0-9]{2,6}(\.[0-9]{1,6})?", text) else ""


def _age(text: str) -> str:
    found = re.fullmatch(r"([0-9]{3})([DWMY])", text)
    if not found:
        return ""
    return "090Y" if found[2] == "Y" and int(found[1]) > OLDEST else text
