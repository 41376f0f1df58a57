"""Objects of the archive, on their way to a peer: which context takes them, and in which encoding."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pynetdicom.presentation import PresentationContext
from sqlalchemy import ColumnElement, select

from diascope.core.errors import DataRefused, Unavailable, UnreadableFile
from diascope.formats.dicomio.decoder import Decoder
from diascope.serve.audit import Event
from diascope.serve.database.tables import instances, series, studies
from diascope.serve.dimse.association import Link
from diascope.serve.dimse.commands import StoreRequest
from diascope.serve.dimse.contexts import PLAIN, a_context
from diascope.serve.service import Service

CHUNK = 1 << 18
CONTEXTS = 128
"""In one association (PS3.8 9.3.2.2: odd numbers up to 255)."""
TOO_LONG_HEADER = 1 << 16
FAILED = 0xA702
"""Unable to perform sub-operations (PS3.4 table C.4-2)."""
NO_SYNTAX = 0xA900
SUCCESS, WARNINGS = 0x0000, range(0xB000, 0xC000)


@dataclass(frozen=True)
class Object:
    """An object of the archive.

    Args:
        uid: Its instance UID.
        sop_class: Its class.
        syntax: As it is stored.
        key: In the archive.
        study: UID of its study.
    """

    uid: str
    sop_class: str
    syntax: str
    key: str
    study: str


@dataclass(frozen=True)
class Sent:
    """What became of an object.

    Args:
        object: The object.
        status: 0 and 0xBxxx: it is there.
        reason: Why not, in plain words.
    """

    object: Object
    status: int
    reason: str = ""

    @property
    def is_there(self) -> bool:
        """Whether the peer has it."""
        return self.status == SUCCESS or self.status in WARNINGS


def objects(service: Service, *conditions: ColumnElement[bool]) -> list[Object]:
    """Objects that fulfil conditions on `studies`, `series` and `instances`, in the order in which they arrived."""
    columns = (
        instances.c.uid,
        instances.c.sop_class,
        instances.c.syntax,
        instances.c.key,
        studies.c.uid.label("study"),
    )
    query = select(*columns).select_from(instances.join(series).join(studies)).where(*conditions)
    with service.database.reading() as connection:
        rows = connection.execute(query.order_by(instances.c.id)).all()
    return [Object(row.uid, row.sop_class, row.syntax, row.key, row.study) for row in rows]


def told_export(service: Service, sent: Sequence[Object], event: Event) -> None:
    """Write down that studies are about to leave, one record for each: where that fails, nothing leaves."""
    counts: dict[str, int] = {}
    for each in sent:
        counts[each.study] = counts.get(each.study, 0) + 1
    for study, count in counts.items():
        detail = {**event.detail, "objects": count}
        service.audit.tell(
            Event(event.action, event.actor, study, project=event.project, address=event.address, detail=detail)
        )


def wanted_contexts(sent: Sequence[Object]) -> list[list[PresentationContext]]:
    """Contexts for objects, in as many associations as are needed: each class as stored, and plain."""
    kinds: dict[str, set[str]] = {}
    for each in sent:
        kinds.setdefault(each.sop_class, set()).add(each.syntax)
    groups: list[list[PresentationContext]] = [[]]
    for name, syntaxes in kinds.items():
        some = [a_context(name, (syntax,)) for syntax in sorted(syntaxes - set(PLAIN))]
        some += [a_context(name, (syntax,)) for syntax in PLAIN]
        if len(groups[-1]) + len(some) > CONTEXTS:
            groups.append([])
        groups[-1] += some
    return groups


class Giving:
    """Sends objects over an association.

    Args:
        service: The service.
        decoder: Changes the encoding where the peer does not take the stored one.
        link: The association.
        move: AE title and message id of the C-MOVE that asked.
    """

    def __init__(self, service: Service, decoder: Decoder, link: Link, move: tuple[str, int] = ("", 0)) -> None:
        self._service, self._decoder, self._link, self._move = service, decoder, link, move
        self._number = 0

    def send(self, one: Object) -> Sent:
        """Send one; what is wrong with it is told in the answer.

        Raises:
            Unavailable: When the association has ended.
            StorageFailed: When the disk fails.
        """
        context = self._link.accepted(one.sop_class, (one.syntax,))
        plain = self._link.accepted(one.sop_class, PLAIN) if context is None else None
        if context is None and plain is None:
            return Sent(one, NO_SYNTAX, f"the peer takes neither {one.syntax} of this class nor any plain syntax")
        self._number = self._number % 0xFFFF + 1
        request = StoreRequest(self._number, one.sop_class, one.uid, self._move[0])
        try:
            if context is not None:
                status = self._link.give(context, request, data_set(self._service, one.key), self._move[1])
            else:
                assert plain is not None
                with self._transcoded(one, str(plain.transfer_syntax[0])) as data:
                    status = self._link.give(plain, request, data, self._move[1])
        except DataRefused as error:
            return Sent(one, FAILED, error.wrong)
        return Sent(one, status, "" if status == SUCCESS else f"the peer answered 0x{status:04X}")

    @contextmanager
    def _transcoded(self, one: Object, syntax: str) -> Iterator[Iterator[bytes]]:
        handle, name = tempfile.mkstemp(prefix="outgoing-", dir=self._service.root)
        os.close(handle)
        try:
            with self._service.archive.local(one.key) as path:
                self._decoder.transcode(path, Path(name), syntax)
            with Path(name).open("rb") as file:
                yield without_header(iter(lambda: file.read(CHUNK), b""))
        finally:
            Path(name).unlink()


def data_set(service: Service, key: str) -> Iterator[bytes]:
    """The encoded data set of an object."""
    return without_header(service.archive.stream(key))


def without_header(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """A DICOM file without preamble and file meta information (PS3.10 7.1).

    Raises:
        UnreadableFile: When it has none.
    """
    head = bytearray()
    for chunk in chunks:
        head += chunk
        at = _end_of_header(head)
        if at is not None:
            yield bytes(head[at:])
            break
        if len(head) > TOO_LONG_HEADER:
            raise UnreadableFile("an object", "its header does not end")
    yield from chunks


def _end_of_header(head: bytearray) -> int | None:
    """Where the first element after group 0002 begins; None where that is not read yet."""
    at = 132
    while len(head) >= at + 12:
        if head[at : at + 2] != b"\2\0":
            return at
        if bytes(head[at + 4 : at + 6]) in (b"OB", b"UN", b"OW", b"SQ", b"UT"):
            at += 12 + int.from_bytes(head[at + 8 : at + 12], "little")
        else:
            at += 8 + int.from_bytes(head[at + 6 : at + 8], "little")
    return None


Progress = Callable[[Sent], None]
"""Told of each object."""


def unavailable(error: Unavailable, rest: Sequence[Object]) -> list[Sent]:
    """All that was not sent, because the association ended."""
    return [Sent(one, FAILED, error.wrong) for one in rest]
