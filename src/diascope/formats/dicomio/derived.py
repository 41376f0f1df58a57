"""What every object that is derived from a series needs: headers of the source, its code of a label, who made it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import highdicom as hd
import pydicom
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from diascope.core.case import Label
from diascope.formats.dicomio.decoder import decoder
from diascope.formats.dicomio.headers import Instance
from diascope.formats.dicomio.stack import Stack

PRIVATE_SCHEME = "99DIASCOPE"
"""Coding scheme of labels that have no code of their own."""


def source_datasets(stacked: Stack) -> list[Any]:
    """Headers of the source files, in the order of their slices."""
    instances = list({one.instance.path: one.instance for one in stacked.slices}.values())
    contents = decoder().json([one.path for one in instances])
    return [_dataset(content, one) for content, one in zip(contents, instances, strict=True)]


def _dataset(content: dict[str, Any], instance: Instance) -> Any:
    """A data set from DICOM JSON, with the attributes of type 2 that are copied and sloppy writers leave out."""
    dataset = pydicom.Dataset.from_json(content)
    dataset.SpecificCharacterSet = "ISO_IR 192"  # JSON is Unicode, whatever the file had
    for name in (
        "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID", "StudyDate",
        "StudyTime", "ReferringPhysicianName",
    ):  # fmt: skip
        if name not in dataset:
            setattr(dataset, name, "")
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.UID(instance.transfer_syntax)
    return dataset


def series_number(source: Any) -> int:
    """A number in the same study that is unlikely to be taken."""
    number = source.get("SeriesNumber")
    return int(number) * 100 + 1 if number is not None and 0 <= int(number) < 10_000_000 else 9001


def code_of(label: Label) -> Code:
    """The coded concept of a label; a private code, made of its name, where it has none."""
    scheme, _, value = (label.code or "").partition(":")
    if not value:
        digest = hashlib.sha256(label.name.encode()).hexdigest()
        scheme, value = PRIVATE_SCHEME, digest[:12].upper()
    return Code(value, scheme, label.name[:64])


def identification(algorithm: Mapping[str, Any]) -> Any:
    """Name, version and release hash of what made it, for a segment."""
    return hd.AlgorithmIdentificationSequence(
        name=str(algorithm["name"]),
        version=str(algorithm["version"]),
        family=codes.DCM.ArtificialIntelligence,
        parameters={"release_hash": str(algorithm.get("release_hash", ""))},
    )
