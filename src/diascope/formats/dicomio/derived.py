"""What every object that is derived from a series needs: headers of the source, its code of a label, who made it."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import highdicom as hd
import pydicom
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from diascope.core.case import Label
from diascope.core.result import coded
from diascope.formats.dicomio.decoder import decoder
from diascope.formats.dicomio.headers import Instance
from diascope.formats.dicomio.stack import Stack

UNICODE = "ISO_IR 192"

REQUIRED = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID", "StudyDate",
    "StudyTime", "ReferringPhysicianName",
)  # fmt: skip
"""Attributes of type 2 that every object of the study repeats; sloppy writers leave them out."""

COPIED = (
    *REQUIRED, "IssuerOfPatientID", "IssuerOfPatientIDQualifiersSequence", "TypeOfPatientID", "PatientAge",
    "OtherPatientIDsSequence", "PatientIdentityRemoved", "DeidentificationMethod", "DeidentificationMethodCodeSequence",
    "IssuerOfAccessionNumberSequence", "StudyDescription", "TimezoneOffsetFromUTC",
)  # fmt: skip
"""What an object has from its source as it is: whose it is, and of which study."""

_QUIET = threading.RLock()


@dataclass(frozen=True)
class Source:
    """Headers of source files, apart from whom they are of.

    highdicom and pydicom quote values that they find odd in warnings, logs and errors: they never see the identity.

    Args:
        datasets: Without names, numbers and dates of the patient and study, in the order that was asked for.
        identity: The elements of the first file that say whose it is, unchecked.
    """

    datasets: list[Any]
    identity: tuple[DataElement, ...]

    def identify(self, dataset: Any) -> None:
        """Give an object the patient and study of its source."""
        for name in COPIED:
            if name in dataset:
                del dataset[name]
        for element in self.identity:
            dataset[element.tag] = element
        dataset.SpecificCharacterSet = UNICODE


@contextmanager
def quietly() -> Iterator[None]:
    """Without warnings: those of highdicom and pydicom quote headers. One at a time, as filters are the process's."""
    with _QUIET, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def source_of(stacked: Stack) -> Source:
    """The source files of a stack, in the order of their slices."""
    return read_source(list({one.instance.path: one.instance for one in stacked.slices}.values()))


def read_source(instances: Sequence[Instance]) -> Source:
    """Source files, read by the decoder child."""
    contents = decoder().json([one.path for one in instances])
    with quietly():
        datasets = [_dataset(content, one) for content, one in zip(contents, instances, strict=True)]
        return Source(datasets, tuple(_identity(contents[0])) if contents else ())


def _dataset(content: Mapping[str, Any], instance: Instance) -> Any:
    """A data set from DICOM JSON, without names and with the attributes that every object of a study has."""
    copied = {f"{tag_for_keyword(name):08X}" for name in COPIED}
    dataset = pydicom.Dataset.from_json(_nameless({tag: one for tag, one in content.items() if tag not in copied}))
    dataset.SpecificCharacterSet = UNICODE  # JSON is Unicode, whatever the file had
    for name in REQUIRED:
        setattr(dataset, name, "")
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.UID(instance.transfer_syntax)
    return dataset


def _nameless(content: Mapping[str, Any]) -> dict[str, Any]:
    """The same without person names, at any depth."""
    kept: dict[str, Any] = {}
    for tag, one in content.items():
        if one.get("vr") == "SQ":
            kept[tag] = {**one, "Value": [_nameless(item or {}) for item in one.get("Value", ())]}
        elif one.get("vr") != "PN":
            kept[tag] = one
    return kept


def _identity(content: Mapping[str, Any]) -> Iterator[DataElement]:
    """Whom a file is of: as it stands there, however odd."""
    for name in COPIED:
        tag = tag_for_keyword(name) or 0
        one = content.get(f"{tag:08X}")
        if one is not None and one["vr"] == "SQ":
            yield pydicom.Dataset.from_json({f"{tag:08X}": one})[tag]
        elif one is not None or name in REQUIRED:
            yield plain_element(name, [_text(value) for value in (one or {}).get("Value", ())])


def plain_element(name: str, values: Sequence[str]) -> DataElement:
    """An element of text that is not checked: what was received is passed on, and quoted nowhere."""
    tag = tag_for_keyword(name) or 0
    whole: Any = values[0] if len(values) == 1 else list(values)
    return DataElement(tag, dictionary_VR(tag), whole if values else "", validation_mode=pydicom.config.IGNORE)


def _text(value: Any) -> str:
    if isinstance(value, Mapping):  # a person name (PS3.18 F.2.2)
        parts = [str(value.get(name) or "") for name in ("Alphabetic", "Ideographic", "Phonetic")]
        return "=".join(parts).rstrip("=")
    return "" if value is None else str(value)


def series_number(source: Any) -> int:
    """A number in the same study that is unlikely to be taken."""
    number = source.get("SeriesNumber")
    return int(number) * 100 + 1 if number is not None and 0 <= int(number) < 10_000_000 else 9001


def code_of(label: Label) -> Code:
    """The coded concept of a label; a private code, made of its name, where it has none."""
    return Code(*coded(label.name, label.code))


def private_code(name: str) -> Code:
    """A code of our own scheme, made of a name."""
    return Code(*coded(name))


def identification(algorithm: Mapping[str, Any]) -> Any:
    """Name, version and release hash of what made it, for a segment."""
    return hd.AlgorithmIdentificationSequence(
        name=str(algorithm["name"]),
        version=str(algorithm["version"]),
        family=codes.DCM.ArtificialIntelligence,
        parameters={"release_hash": str(algorithm.get("release_hash", ""))},
    )
