"""C-STORE: from the network into a draft, from there to `Receiving`; success is said when it is durable."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from typing import Protocol

from pynetdicom.presentation import PresentationContext

from diascope.core.errors import DiascopeError, StorageFailed, StorageFull, Unavailable
from diascope.serve.audit import Event
from diascope.serve.dimse import commands
from diascope.serve.dimse.commands import BrokenCommandError, StoreRequest
from diascope.serve.dimse.flowing import ClosedError, CutShortError
from diascope.serve.incoming.receiving import Expected, Origin, Received, Refused
from diascope.serve.service import Service
from diascope.store.archive import Draft

log = logging.getLogger(__name__)

SUCCESS = 0x0000
DUPLICATE = 0x0111
CLASS_NOT_SUPPORTED = 0x0122
NOT_AUTHORIZED = 0x0124
OUT_OF_RESOURCES = 0xA700
MISMATCH = 0xA900
NOT_UNDERSTOOD = 0xC000
"""Statuses of PS3.4 table B.2-1 and PS3.7 annex C."""

STATUS = {
    "unparsable": NOT_UNDERSTOOD,
    "mismatch": MISMATCH,
    "duplicate": DUPLICATE,
    "out_of_resources": OUT_OF_RESOURCES,
    "forbidden": NOT_AUTHORIZED,
    "class_not_supported": CLASS_NOT_SUPPORTED,
}

AT_ONCE = 8
"""Objects that are taken in at a time; more wait."""

PATIENCE = 20.0
"""Seconds that one waits before it is refused: most senders give up after 30."""


class Receives(Protocol):
    """What keeps objects: `serve/incoming/receiving.py`."""

    def receive(self, draft: Draft, origin: Origin, expected: Expected | None = None) -> Received:
        """Keep it durably, or raise `Refused`."""
        ...


class Storing:
    """Takes objects from associations.

    Args:
        service: The service.
        receiving: Keeps them.
        at_once: How many at a time.
        patience: Seconds that one waits for its turn.
    """

    def __init__(
        self, service: Service, receiving: Receives, at_once: int = AT_ONCE, patience: float = PATIENCE
    ) -> None:
        self._service, self._receiving = service, receiving
        self._turns, self._patience = threading.BoundedSemaphore(at_once), patience

    def store(
        self,
        origin: Origin,
        request: StoreRequest,
        context: PresentationContext,
        data: Iterator[memoryview],
        may_store: bool = True,
    ) -> tuple[int, str]:
        """Take one object.

        Args:
            origin: Who sends.
            request: What was announced.
            context: Under which it comes.
            data: The encoded data set; what is not taken is left to the caller.
            may_store: Whether the sender has the right.

        Returns:
            Status and comment of the C-STORE-RSP.
        """
        refusal = _refusal(request, context, may_store)
        if refusal is not None:
            self._tell(origin, request, refusal)
            return refusal
        if not self._turns.acquire(timeout=self._patience):
            return OUT_OF_RESOURCES, "too many objects at a time; send it again later"
        try:
            return self._taken(origin, request, str(context.transfer_syntax[0]), data)
        except Refused as error:
            return STATUS[error.reason], error.wrong
        except (StorageFull, StorageFailed, Unavailable) as error:
            self._tell(origin, request, (OUT_OF_RESOURCES, error.wrong))
            return OUT_OF_RESOURCES, error.wrong
        except DiascopeError as error:
            return NOT_UNDERSTOOD, error.wrong
        except (ClosedError, CutShortError, BrokenCommandError):
            raise
        except Exception as error:
            # The border of an association: the sender gets an answer whatever fails here. No text of it: it may
            # name a patient.
            log.error("an object was not taken: %s", type(error).__name__)
            return NOT_UNDERSTOOD, "the object could not be taken"
        finally:
            self._turns.release()

    def _taken(self, origin: Origin, request: StoreRequest, syntax: str, data: Iterator[memoryview]) -> tuple[int, str]:
        longest = self._service.settings.largest_object_mb * 1_000_000
        with self._service.archive.draft() as draft:
            draft.write(commands.file_header(request.sop_class, request.instance, syntax))
            for piece in data:
                if draft.size + len(piece) > longest:
                    raise Refused("out_of_resources", "the object is larger than the settings allow")
                draft.write(bytes(piece))
            announced = Expected(sop_class=request.sop_class, instance_uid=request.instance, syntax=syntax)
            received = self._receiving.receive(draft, origin, announced)
        return SUCCESS, "it was there already" if received.status == "same" else ""

    def _tell(self, origin: Origin, request: StoreRequest, refusal: tuple[int, str]) -> None:
        uid = request.instance if request.is_sound else ""
        event = Event(
            "instance.refused",
            origin.actor,
            uid,
            outcome="refused",
            project=origin.project,
            address=origin.address,
            detail={"status": f"0x{refusal[0]:04X}", "wrong": refusal[1]},
        )
        try:
            self._service.audit.tell(event)
        except (StorageFull, StorageFailed, Unavailable) as error:  # nothing was kept, and the sender is told so
            log.warning("a refusal could not be written down: %s", error.wrong)


def _refusal(request: StoreRequest, context: PresentationContext, may_store: bool) -> tuple[int, str] | None:
    if not may_store:
        return NOT_AUTHORIZED, "this peer may not store"
    if not request.is_sound:
        return MISMATCH, "a UID has 1 to 64 digits and points"
    if str(context.abstract_syntax) != request.sop_class:
        return CLASS_NOT_SUPPORTED, "the object is of another class than its context"
    return None
