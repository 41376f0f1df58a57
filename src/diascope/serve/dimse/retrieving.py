"""C-MOVE and C-GET: objects of the archive to a peer, because a peer asked."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

from pynetdicom.dimse_primitives import C_GET, C_MOVE
from pynetdicom.presentation import PresentationContext
from sqlalchemy import ColumnElement

from diascope.core.errors import BadUsage, DataRefused, DiascopeError, StorageFailed, Unavailable
from diascope.formats.dicomio.decoder import Decoder
from diascope.formats.dicomio.uids import is_uid
from diascope.serve.audit import Event
from diascope.serve.database.tables import instances, series, studies
from diascope.serve.dimse.association import Link
from diascope.serve.dimse.contexts import IMPLICIT
from diascope.serve.dimse.identifiers import Item, encoded, read, text, texts
from diascope.serve.dimse.objects import Giving, Object, Sent, objects, told_export
from diascope.serve.dimse.peers import Peer, by_title
from diascope.serve.dimse.sending import connected
from diascope.serve.service import Service

log = logging.getLogger(__name__)

SUCCESS, WARNING, CANCELLED, PENDING = 0x0000, 0xB000, 0xFE00, 0xFF00
UNKNOWN_DESTINATION, FAILED, NOT_AUTHORIZED, MISMATCH, OUT_OF_RESOURCES = 0xA801, 0xA702, 0x0124, 0xA900, 0xA701
"""Statuses of PS3.4 tables C.4-2 and C.4-3."""

KEYS = {
    "STUDY": ("StudyInstanceUID", studies.c.uid),
    "SERIES": ("SeriesInstanceUID", series.c.uid),
    "IMAGE": ("SOPInstanceUID", instances.c.uid),
}
"""Level to its unique key."""

Refusal = tuple[int, str]


class Retrieving:
    """Answers requests for objects.

    Args:
        service: The service.
        decoder: Reads identifiers, and changes encodings.
    """

    def __init__(self, service: Service, decoder: Decoder) -> None:
        self._service, self._decoder = service, decoder

    def serve(self, link: Link, message: C_GET | C_MOVE, context: PresentationContext, peer: Peer) -> None:
        """Answer one request, with an answer for each object and one at the end."""
        tally = _Tally(link, message, context)
        try:
            found = self._sought(message, context, peer)
            if isinstance(found, tuple):
                tally.refuse(*found)
                return
            tally.remaining = len(found)
            with self._way(link, message, peer, found) as giving:
                if giving is None:
                    tally.refuse(UNKNOWN_DESTINATION, "no peer with this AE title may be sent to")
                    return
                _give_all(giving, found, tally)
        except (BadUsage, DataRefused) as error:
            tally.refuse(MISMATCH, error.wrong)
        except (Unavailable, StorageFailed) as error:
            tally.broken(error.wrong)
        except DiascopeError as error:
            log.warning("a retrieval failed: %s", type(error).__name__)
            tally.refuse(FAILED, error.wrong)

    def _sought(self, message: Any, context: PresentationContext, peer: Peer) -> list[Object] | Refusal:
        if ("get" if isinstance(message, C_GET) else "move") not in peer.rights or "identity" not in peer.rights:
            return NOT_AUTHORIZED, "objects name patients, which this peer may not see"
        identifier = message.Identifier.getvalue() if message.Identifier else b""
        keys = read(self._decoder, identifier, str(context.transfer_syntax[0]))
        return objects(self._service, studies.c.project_id == peer.project, *self._conditions(keys))

    def _conditions(self, keys: Item) -> Iterator[ColumnElement[bool]]:
        level = text(keys, "QueryRetrieveLevel")
        if level == "PATIENT":
            number = text(keys, "PatientID")
            if not number or "*" in number or "?" in number:
                raise BadUsage("a patient is retrieved by a patient ID")
            known = self._service.identities.find("number", number)
            yield studies.c.patient.in_(known | {number})
            return
        if level not in KEYS or not texts(keys, KEYS[level][0]):
            raise BadUsage("the identifier names no level, or no UID of it")
        for keyword, column in KEYS.values():
            values = texts(keys, keyword)
            if not all(is_uid(value) for value in values):
                raise BadUsage(f"{keyword} is no UID")
            if values:
                yield column.in_(values)

    @contextmanager
    def _way(self, link: Link, message: Any, peer: Peer, found: list[Object]) -> Iterator[Giving | None]:
        """How objects are sent: over the same association, or to the destination; None where that is nobody."""
        if isinstance(message, C_GET):
            self._tell(link, found, peer, peer)
            yield Giving(self._service, self._decoder, link)
            return
        destination = by_title(self._service, str(message.MoveDestination).strip())
        if destination is None or not destination.settings.host or destination.project != peer.project:
            yield None
            return
        if not found:
            yield Giving(self._service, self._decoder, link)
            return
        self._tell(link, found, peer, destination)
        with connected(self._service, destination, found) as other:
            asked = (peer.settings.ae_title, int(message.MessageID))
            yield Giving(self._service, self._decoder, other, asked)

    def _tell(self, link: Link, found: list[Object], peer: Peer, destination: Peer) -> None:
        event = Event(
            "study.exported",
            peer.actor,
            project=peer.project,
            address=str(link.requestor.address),
            detail={"to": destination.name},
        )
        told_export(self._service, found, event)


def _give_all(giving: Giving, found: list[Object], tally: _Tally) -> None:
    for one in found:
        if tally.is_cancelled():
            tally.end(CANCELLED)
            return
        tally.count(giving.send(one))
    tally.end()


class _Tally:
    """Counts sub-operations, and tells them to who asked."""

    def __init__(self, link: Link, message: Any, context: PresentationContext) -> None:
        self._link, self._message, self._context = link, message, context
        self.remaining = self.completed = self.warned = 0
        self.failed: list[str] = []

    def is_cancelled(self) -> bool:
        """Whether a C-CANCEL came."""
        return self._link.dimse.cancel_req.pop(int(self._message.MessageID), None) is not None or self._link.leaving

    def count(self, sent: Sent) -> None:
        """One more was sent, or was not."""
        self.remaining -= 1
        if not sent.is_there:
            self.failed.append(sent.object.uid)
        elif sent.status:
            self.warned += 1
        else:
            self.completed += 1
        if self.remaining:
            self._answer(PENDING, NumberOfRemainingSuboperations=self.remaining)

    def end(self, status: int | None = None) -> None:
        """The last answer."""
        if status is None:
            status = WARNING if self.failed and (self.completed or self.warned) else FAILED if self.failed else SUCCESS
        fields: dict[str, Any] = {}
        if status == CANCELLED:
            fields["NumberOfRemainingSuboperations"] = self.remaining
        if self.failed:
            implicit = str(self._context.transfer_syntax[0]) == IMPLICIT
            fields["Identifier"] = BytesIO(encoded({"FailedSOPInstanceUIDList": self.failed[:1000]}, implicit))
        self._answer(status, **fields)

    def refuse(self, status: int, why: str) -> None:
        """Nothing was sent, because."""
        self._link.answer(self._message, self._context, status, ErrorComment=why[:64])

    def broken(self, why: str) -> None:
        """It ended in the middle."""
        self._answer(FAILED if not self.completed else WARNING, ErrorComment=why[:64], lost=self.remaining)

    def _answer(self, status: int, *, lost: int = 0, **fields: Any) -> None:
        self._link.answer(
            self._message,
            self._context,
            status,
            NumberOfCompletedSuboperations=self.completed,
            NumberOfFailedSuboperations=len(self.failed) + lost,
            NumberOfWarningSuboperations=self.warned,
            **fields,
        )
