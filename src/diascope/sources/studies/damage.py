"""Damaged files in a tree of DICOM: to which series each may belong, so that none is read as if it were whole.

A header that breaks off late still says its study and series. Where it does not, a file may belong to any study whose
files lie around it: better a study refused with the name of a file than five slices of six.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom.uid import UID

from diascope.formats.dicomio.headers import Instance, Scan

STUDY, SERIES = b"\x20\x00\x0d\x00", b"\x20\x00\x0e\x00"
"""Study and Series Instance UID, (0020,000D) and (0020,000E), in little endian."""
LOOKED_AT = 1 << 20
"""Bytes of a damaged file that are searched for its UIDs."""
LONGEST_UID = 64


@dataclass(frozen=True)
class Damage:
    """One file that should be DICOM and cannot be read.

    Args:
        path: The file.
        reason: Why.
        study: Study instance UID, "" where it does not say.
        series: Series instance UID, "" where it does not say.
    """

    path: Path
    reason: str
    study: str = ""
    series: str = ""


def damages(found: Scan) -> list[Damage]:
    """Every damaged file of a tree, also those that no longer look like DICOM but lie and are named as slices do."""
    cut = {one.path: "it ends in the middle of its header" for one in found.instances if _is_cut(one)}
    broken = {**found.unreadable, **cut, **_unlike_its_neighbours(found)}
    return [_said(path, reason) for path, reason in sorted(broken.items())]


def may_belong(damage: Damage, case: Sequence[Instance], found: Scan) -> bool:
    """Whether a damaged file may be a part of a case.

    Args:
        damage: The file.
        case: The headers of the files that the case is read from.
        found: The tree.
    """
    series, studies = {one.series_uid for one in case}, {one.study_uid for one in case}
    images = [one for one in found.instances if one.is_image]
    if damage.series and damage.series in {one.series_uid for one in images}:
        return damage.series in series
    if damage.study:
        return damage.study in studies
    folders = [one.path.parent for one in images if one.study_uid in studies]
    return damage.path.is_relative_to(os.path.commonpath(folders)) if folders else False


def _is_cut(one: Instance) -> bool:
    """Whether the header of an image lacks its size, or any other what all have (PS3.3 C.7.2.1, C.7.3.1)."""
    if one.is_image:
        return False
    return not (one.sop_class and one.study_uid and one.series_uid) or "Image Storage" in UID(one.sop_class).name


def _said(path: Path, reason: str) -> Damage:
    try:
        with path.open("rb") as stream:
            content = stream.read(LOOKED_AT)
    except OSError:
        content = b""
    return Damage(path, reason, _uid(content, STUDY), _uid(content, SERIES))


def _uid(content: bytes, element: bytes) -> str:
    """The value of the first such element, explicit or implicit; "" where it is cut off or makes no sense."""
    at = content.find(element)
    if at < 0:
        return ""
    explicit = content[at + 4 : at + 6] == b"UI"
    length = int.from_bytes(content[at + 6 : at + 8] if explicit else content[at + 4 : at + 8], "little")
    value = content[at + 8 : at + 8 + length].rstrip(b"\0 ")
    whole = 0 < length <= LONGEST_UID and len(content) >= at + 8 + length
    return value.decode("ascii") if whole and set(value) <= set(b"0123456789.") else ""


def _unlike_its_neighbours(found: Scan) -> dict[Path, str]:
    """Files beside slices, named like them, that are empty or binary and no DICOM."""
    known = {one.path for one in found.instances} | set(found.unreadable)
    kinds: dict[Path, set[str]] = {}
    for one in found.instances:
        kinds.setdefault(one.path.parent, set()).add(_ending(one.path))
    return {
        path: reason
        for folder, endings in kinds.items()
        for path in _files(folder)
        if path not in known and _ending(path) in endings and (reason := _why_not_text(path))
    }


def _files(folder: Path) -> Iterable[Path]:
    return (
        path for path in folder.iterdir() if path.is_file() and path.name[0] != "." and path.name.upper() != "DICOMDIR"
    )


def _ending(path: Path) -> str:
    """`.dcm`, "" for none, `.0` for any number (file names are often UIDs)."""
    ending = path.suffix.lower()
    return ".0" if ending[1:].isdigit() else ending


def _why_not_text(path: Path) -> str:
    with path.open("rb") as stream:
        start = stream.read(2048)
    if not start:
        return "it is empty"
    return "it is no DICOM file" if b"\0" in start else ""
