"""Pseudonymised copies of studies, as a zip: a header by a positive list, other UIDs, pixels as they were.

The same study gives the same copies each time, so that what was taken out twice is known to be the same; without the
service's keys nobody can tell which study it was. Objects without pixels (reports, findings) are text, and text that
nobody has read is not taken out; nor are pixels that say that they show whose they are.
"""

from __future__ import annotations

import hmac
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import RowMapping

from diascope.core.errors import DiascopeError
from diascope.formats.dicomio.decoder import decoder
from diascope.serve.dicomweb.stripping import KEPT
from diascope.serve.dicomweb.wado import child_wrote, selected
from diascope.serve.service import Service

WELL_KNOWN = "1.2.840.10008."
"""UIDs of the standard itself: classes, transfer syntaxes."""

CHUNK = 1 << 20


@dataclass(frozen=True)
class Taken:
    """What was taken out.

    Args:
        studies: How many.
        instances: Copies.
        left: Why something was left out, to how many instances.
    """

    studies: int
    instances: int
    left: Mapping[str, int]


def write_copies(service: Service, study_uids: Sequence[str], path: Path, tell: Callable[[int, int], None]) -> Taken:
    """Write the copies of some studies.

    Args:
        service: That has them.
        study_uids: The studies.
        path: Of the archive; written over.
        tell: Told how many instances of how many are done.

    Raises:
        DiascopeError: When the archive can't be read.
    """
    rows = [row for uid in study_uids for row in selected(service, uid)]
    left: dict[str, int] = {}
    names: dict[str, int] = {}
    count = 0
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for done, row in enumerate(rows):
            tell(done, len(rows))
            why = why_not_copied(row)
            if not why:
                try:
                    _copy(service, row, archive, names)
                    count += 1
                    continue
                except DiascopeError as error:
                    why = error.wrong
            left[why] = left.get(why, 0) + 1
    return Taken(len({row["study_uid"] for row in rows}), count, left)


def other_uid(service: Service, uid: str) -> str:
    """The UID that stands for another one in what is taken out (PS3.5 B.2); those of the standard stay."""
    if uid.startswith(WELL_KNOWN):
        return uid
    digest = hmac.digest(service.keys.derived("uids of copies"), uid.encode(), "sha256")
    return f"2.25.{int.from_bytes(digest[:16])}"


def why_not_copied(row: RowMapping) -> str:
    """Why an object is not taken out; "" where it is."""
    if row["rows"] is None:
        return "it has no pixels"
    if str(row["attributes"].get("BurnedInAnnotation", "")).upper() == "YES":
        return "its pixels show whose they are"
    return ""


def copied(service: Service, row: RowMapping) -> BinaryIO:
    """The pseudonymised copy of an object, which the caller closes.

    Args:
        service: That has it.
        row: Of `selected`.

    Raises:
        DiascopeError: When it can't be made.
    """
    with service.archive.local(row["key"], row["sha256"]) as path:
        (header,) = decoder().metadata([path])
    uids = {uid: other_uid(service, uid) for uid in _uids(header)}
    request: dict[str, Any] = {"kept": sorted(KEPT), "uids": uids, "patient": row["patient"]}
    _, written = child_wrote(service, row, "pseudonymised", decoder(), **request)
    return written


def _copy(service: Service, row: RowMapping, archive: zipfile.ZipFile, names: dict[str, int]) -> None:
    written = copied(service, row)
    series = names.setdefault(row["series_uid"], len(names))
    number = names[row["instance_uid"]] = len(names)
    info = zipfile.ZipInfo(f"{row['patient']}/series-{series:05d}/{number:06d}.dcm", (1980, 1, 1, 0, 0, 0))
    with written, archive.open(info, "w", force_zip64=True) as out:
        shutil.copyfileobj(written, out, CHUNK)


def _uids(header: Mapping[str, Any]) -> Iterator[str]:
    for entry in header.values():
        if entry.get("vr") == "SQ":
            for item in entry.get("Value", ()):
                yield from _uids(item or {})
        elif entry.get("vr") == "UI":
            yield from (str(one) for one in entry.get("Value", ()) if one)
