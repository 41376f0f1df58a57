"""A copy of an object that names nobody, written inside the decoder child: what is on a list stays, and the pixels."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, BinaryIO

import pydicom

from diascope.formats.dicomio import nesting
from diascope.formats.dicomio.parsing import Parsed

METHOD = "Diascope: elements of a positive list, UIDs by keyed hash, pixel data as it was"


def pseudonymised(parsed: Parsed, request: dict[str, Any], out: BinaryIO) -> dict[str, Any]:
    """Write the copy.

    Args:
        parsed: The object.
        request: `kept` (tags, eight hexadecimal digits), `uids` (old to new), `patient` (pseudonym).
        out: Where it is written, in the transfer syntax that the object has.

    Returns:
        Nothing to say.
    """
    nesting.check_depth(parsed.dataset)
    dataset = pydicom.dcmread(parsed.path)
    _strip(dataset, {int(tag, 16) for tag in request["kept"]}, request["uids"])
    dataset.PatientName = dataset.PatientID = request["patient"]
    dataset.PatientIdentityRemoved, dataset.DeidentificationMethod = "YES", METHOD[:64]
    known = dataset.file_meta
    meta = pydicom.dataset.FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = known.MediaStorageSOPClassUID, known.TransferSyntaxUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta, dataset.preamble = meta, b"\0" * 128
    dataset.save_as(out, enforce_file_format=True)
    return {}


def _strip(dataset: Any, kept: Collection[int], uids: Mapping[str, str]) -> None:
    """Remove every element that is not on the list, private ones too, at any depth; map UIDs in those that stay."""
    for tag in list(dataset.keys()):
        if int(tag) not in kept:
            del dataset[tag]
            continue
        if int(tag) >> 16 == 0x7FE0:
            continue
        element = dataset[tag]
        if element.VR == "SQ":
            for item in element.value or ():
                _strip(item, kept, uids)
        elif element.VR == "UI" and element.value:
            many = [element.value] if isinstance(element.value, str) else list(element.value)
            mapped = [uids.get(str(one), str(one)) for one in many]
            element.value = mapped[0] if len(mapped) == 1 else mapped
