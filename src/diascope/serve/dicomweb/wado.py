"""WADO-RS (PS3.18 10.4): instances, metadata, frames and bulk data, as streams. Foreign bytes are read in the child."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import chain
from typing import Any, BinaryIO

from sqlalchemy import RowMapping, select

from diascope.core.errors import UnreadableFile
from diascope.formats.dicomio.decoder import Decoder, decoder
from diascope.serve.database.tables import instances, series, studies
from diascope.serve.dicomweb import negotiation
from diascope.serve.dicomweb.elements import model
from diascope.serve.dicomweb.multipart import new_boundary, written
from diascope.serve.dicomweb.negotiation import DICOM, OCTETS, NotAcceptable
from diascope.serve.dicomweb.stripping import stripped
from diascope.serve.incoming.decoding import strict_decoder
from diascope.serve.service import Service

CHUNK = 1 << 20
AT_ONCE = 32
"""Headers that are read together."""

LARGEST_CHECKED = 64 << 20
"""Bytes up to which an object is compared with its hash each time that a part of it is read; a larger one is when it is
sent whole, and by the scrub."""

PIXELS = frozenset(("7FE00008", "7FE00009", "7FE00010"))

COLUMNS = (
    instances.c.uid.label("instance_uid"), instances.c.sop_class, instances.c.syntax, instances.c.frames,
    instances.c.rows, instances.c.key, instances.c.sha256, instances.c.size, instances.c.attributes,
    series.c.uid.label("series_uid"), studies.c.uid.label("study_uid"), studies.c.project_id, studies.c.patient,
)  # fmt: skip

Body = tuple[str, Iterator[bytes]]
"""Content type, and content."""


def selected(service: Service, study_uid: str, series_uid: str = "", instance_uid: str = "") -> Sequence[RowMapping]:
    """The instances that an address names, in the order of their series and numbers; none where it names none."""
    query = select(*COLUMNS).join_from(studies, series).join(instances).where(studies.c.uid == study_uid)
    query = query.where(series.c.uid == series_uid) if series_uid else query
    query = query.where(instances.c.uid == instance_uid) if instance_uid else query
    query = query.order_by(series.c.number, series.c.id, instances.c.number, instances.c.id)
    with service.database.reading() as connection:
        return connection.execute(query).mappings().all()


def objects(service: Service, rows: Sequence[RowMapping], accept: str) -> Body:
    """Whole instances: each as it is stored, or in explicit little endian.

    Args:
        service: That has them.
        rows: Of `selected`.
        accept: Header.

    Raises:
        NotAcceptable: When one of them can't be sent in a syntax that is taken.
    """
    chosen = [negotiation.syntax_for(accept, row["syntax"]) for row in rows]
    parts = (
        (f"{DICOM}; transfer-syntax={syntax}", _object(service, row, syntax))
        for row, (syntax, _) in zip(rows, chosen, strict=True)
    )
    if len(rows) == 1 and chosen[0][1]:
        kind, content = next(parts)
        return kind, _begun(content)
    return _multipart(parts, DICOM)


def metadata(
    service: Service, rows: Sequence[RowMapping], base: str, sees: Callable[[RowMapping], bool]
) -> Iterator[bytes]:
    """Headers as a list of DICOM JSON.

    Args:
        service: That has them.
        rows: Of `selected`.
        base: Address of the service's DICOMweb, for links.
        sees: Whether the caller may see the identity of a row.
    """
    return _begun(_listed(_headers(service, rows, base, sees)))


def frames(service: Service, row: RowMapping, wanted: Sequence[int], accept: str) -> Body:
    """Frames of one instance.

    Args:
        service: That has it.
        row: Of `selected`.
        wanted: Numbers from 1.
        accept: Header.

    Raises:
        NotAcceptable: When they can't be sent in a form that is taken, or can't be decoded.
    """
    kind, syntax = negotiation.frame_for(accept, row["syntax"])
    stored = kind != OCTETS or syntax == row["syntax"]
    request = {"frames": [number - 1 for number in wanted], "stored": stored}
    said, out = child_wrote(service, row, "frames", decoder(), **request)
    suffix = "" if syntax == negotiation.EXPLICIT else f"; transfer-syntax={syntax}"
    parts = ((f"{kind}{suffix}", _read(out, length)) for length in said["lengths"])
    return _multipart(parts, kind, out)


def bulk(service: Service, row: RowMapping, element: str, accept: str) -> Body:
    """One value that is not in the metadata; of pixel data all frames, decoded.

    Args:
        service: That has it.
        row: Of `selected`.
        element: Path that the metadata gave.
        accept: Header.

    Raises:
        NotAcceptable: When it can't be sent.
    """
    negotiation.chosen(accept, [OCTETS])
    alone = any(one.single and one.kind == OCTETS for one in negotiation.wanted(accept)[:1])
    said, out = child_wrote(service, row, "bulk", decoder(), element=element)
    content = _read(out, sum(said["lengths"]))
    return (OCTETS, _closing(content, out)) if alone else _multipart([(OCTETS, content)], OCTETS, out)


def child_wrote(
    service: Service, row: RowMapping, what: str, reader: Decoder, **request: Any
) -> tuple[dict[str, Any], BinaryIO]:
    """What the decoder child wrote of an object, in a file that the caller closes.

    Raises:
        NotAcceptable: When it could not.
    """
    with ExitStack() as undone:
        out = undone.enter_context(tempfile.TemporaryFile())
        with service.archive.local(row["key"], _hash(row)) as path:
            try:
                said = reader.write(path, what, out, **request)
            except UnreadableFile as error:  # its text names a file of ours
                raise NotAcceptable(f"this can't be made of the object: {error.reason}") from error
        undone.pop_all()
    return said, out


def _object(service: Service, row: RowMapping, syntax: str) -> Iterator[bytes]:
    if syntax == row["syntax"]:
        yield from service.archive.stream(row["key"], row["sha256"])
        return
    _, out = child_wrote(service, row, "plain", decoder())
    with out:
        yield from iter(lambda: out.read(CHUNK), b"")


def _headers(
    service: Service, rows: Sequence[RowMapping], base: str, sees: Callable[[RowMapping], bool]
) -> Iterator[dict[str, Any]]:
    for at in range(0, len(rows), AT_ONCE):
        some = rows[at : at + AT_ONCE]
        with ExitStack() as places:
            paths = [places.enter_context(service.archive.local(row["key"], _hash(row))) for row in some]
            try:
                found = strict_decoder().metadata(paths)
            except UnreadableFile as error:
                raise NotAcceptable(f"the header of an object can't be read: {error.reason}") from error
        for row, header in zip(some, found, strict=True):
            address = f"{base}/studies/{row['study_uid']}/series/{row['series_uid']}/instances/{row['instance_uid']}"
            header |= model({"AvailableTransferSyntaxUID": row["syntax"]})
            linked = _linked(header, f"{address}/bulkdata/")
            yield linked if sees(row) else stripped(linked, row["patient"])


def _linked(header: dict[str, Any], address: str) -> dict[str, Any]:
    for entry in header.values():
        if "BulkDataURI" in entry:
            entry["BulkDataURI"] = address + entry["BulkDataURI"]
        elif entry.get("vr") == "SQ":
            for item in entry.get("Value", []):
                _linked(item, address)
    return dict(sorted(header.items()))


def _listed(items: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    before = b"["
    for item in items:
        yield before + json.dumps(item, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        before = b",\n"
    yield b"]"


def _multipart(parts: Iterable[tuple[str, Iterable[bytes]]], kind: str, out: BinaryIO | None = None) -> Body:
    boundary = new_boundary()
    content = written(parts, boundary)
    body = content if out is None else _closing(content, out)
    return f'multipart/related; type="{kind}"; boundary={boundary}', _begun(body)


def _begun(content: Iterator[bytes]) -> Iterator[bytes]:
    """The same, its beginning made at once: what goes wrong there still has a status of its own."""
    # The head of a part, its content where that is short, and what follows: by then its hash was compared.
    first = [chunk for _, chunk in zip(range(3), content, strict=False)]
    return chain(first, content)


def _closing(content: Iterator[bytes], out: BinaryIO) -> Iterator[bytes]:
    with out:
        yield from content


def _read(source: BinaryIO, length: int) -> Iterator[bytes]:
    while length > 0 and (chunk := source.read(min(length, CHUNK))):
        length -= len(chunk)
        yield chunk


def _hash(row: RowMapping) -> str | None:
    return row["sha256"] if row["size"] <= LARGEST_CHECKED else None
