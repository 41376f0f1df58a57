"""The DICOM node: who is let in, and what is done with what they ask."""

from __future__ import annotations

import logging
import resource
import socket
import threading
import time
from collections.abc import Iterator
from functools import cache
from io import BytesIO
from typing import Any

from pynetdicom.dimse_primitives import C_ECHO, C_FIND, C_GET, C_MOVE
from pynetdicom.presentation import PresentationContext

from diascope.core.errors import BadUsage, DataRefused, DiascopeError
from diascope.serve.audit import Event
from diascope.serve.dimse import contexts, security
from diascope.serve.dimse.association import Incoming, Link
from diascope.serve.dimse.commands import StoreRequest
from diascope.serve.dimse.contexts import FIND, IMPLICIT
from diascope.serve.dimse.entity import an_entity
from diascope.serve.dimse.identifiers import encoded, read
from diascope.serve.dimse.listening import Listener
from diascope.serve.dimse.peers import Peer, recognised
from diascope.serve.dimse.querying import MOST, answers, read_query
from diascope.serve.dimse.retrieving import Retrieving
from diascope.serve.dimse.storing import Receives, Storing
from diascope.serve.incoming.decoding import strict_decoder
from diascope.serve.incoming.receiving import Origin
from diascope.serve.service import Service

log = logging.getLogger(__name__)

ASSOCIATIONS = 32
"""Associations at a time."""

ARTIM, IDLE = 10.0, 60.0
"""Seconds until an association is asked for, and between messages."""

DESCRIPTORS = 8192
"""Open files that the process may have, where the machine lets it."""

DRAIN = 15.0
"""Seconds that associations have to end in when the node stops (G4)."""

UNKNOWN_CALLING, UNKNOWN_CALLED, TOO_MANY = (1, 1, 3), (1, 1, 7), (2, 3, 2)
"""Result, source and diagnostic of an A-ASSOCIATE-RJ (PS3.8 9.3.4)."""


class Node:
    """Listens for DICOM associations.

    Args:
        service: The service.
        receiving: Keeps what arrives.
        associations: At a time.
        artim: Seconds until a connection must have asked for an association.
        idle: Seconds without a message after which an association ends.
    """

    def __init__(
        self,
        service: Service,
        receiving: Receives,
        *,
        associations: int = ASSOCIATIONS,
        artim: float = ARTIM,
        idle: float = IDLE,
    ) -> None:
        self.service = service
        self.storing = Storing(service, receiving)
        self.entity = an_entity(service.settings.ae_title, artim, idle)
        self._decoder = strict_decoder()
        self._retrieving = Retrieving(service, self._decoder)
        self._associations = associations
        self._links: dict[Link, Peer | None] = {}
        self._lock = threading.Lock()
        self._listener: Listener | None = None
        self._stopping = False

    def start(self) -> None:
        """Listen.

        Raises:
            BadUsage: When the port is taken, or TLS is wanted and can't be had.
        """
        settings = self.service.settings
        context = security.accepting(settings)
        _room_for_descriptors()
        try:
            address = (settings.dicom_host, settings.dicom_port)
            self._listener = Listener(address, context, self.entity.acse_timeout or ARTIM, self._welcome)
        except OSError as error:
            raise BadUsage(
                f"cannot listen on {settings.dicom_host}:{settings.dicom_port}: {error.strerror}",
                todo="Choose another --dicom-port",
            ) from error
        threading.Thread(
            target=self._listener.serve_forever, kwargs={"poll_interval": 0.25}, name="dicom", daemon=True
        ).start()

    @property
    def port(self) -> int:
        """Where it listens; 0 before it was started."""
        return int(self._listener.server_address[1]) if self._listener is not None else 0

    def stop(self, seconds: float = DRAIN) -> None:
        """Accept nothing more, answer what is being served, then end all associations.

        Args:
            seconds: Until those that are still busy are cut.
        """
        self._stopping = True
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.shutdown()
            listener.server_close()
        with self._lock:
            links = list(self._links)
        for link in links:
            link.leave()
        limit = time.monotonic() + seconds
        for link in links:
            link.join(max(0.0, limit - time.monotonic()))
            if link.is_alive():
                link.cut()

    def associations(self) -> int:
        """How many there are."""
        with self._lock:
            return len(self._links)

    def _welcome(self, connection: socket.socket, address: tuple[Any, ...]) -> None:
        link = Incoming(self.entity, connection, address, self._admit, self._store, self._serve, self._gone)
        link.start()

    def _admit(self, link: Incoming) -> tuple[int, int, int] | None:
        """Whether a peer may in; sets what it may ask for."""
        asked: Any = link.requestor.primitive
        address = str(link.requestor.address)
        title, called = str(asked.calling_ae_title).strip(), str(asked.called_ae_title).strip()
        try:
            peer = recognised(self.service, title, address, security.fingerprint(link.connection))
            refusal = self._refusal(peer, called)
            if refusal is None and peer is not None:
                with self._lock:
                    if len(self._links) >= self._associations or self._stopping:
                        refusal = TOO_MANY
                    else:
                        self._links[link] = peer
            self._told(link, title, peer, refusal)
        except DiascopeError as error:  # without the database nobody can be known, and nothing be written down
            log.warning("an association was refused: %s", error.wrong)
            self._gone(link)
            return TOO_MANY
        if peer is not None:
            link.acceptor.supported_contexts = _supported(peer.rights)
        return refusal

    def _refusal(self, peer: Peer | None, called: str) -> tuple[int, int, int] | None:
        if called != self.service.settings.ae_title:
            return UNKNOWN_CALLED
        return UNKNOWN_CALLING if peer is None else None

    def _told(self, link: Link, title: str, peer: Peer | None, refusal: tuple[int, int, int] | None) -> None:
        actor = peer.actor if peer is not None else "peer:unknown"
        detail: dict[str, Any] = {"calling": title[:16]}
        if refusal is not None:
            detail["reason"] = {UNKNOWN_CALLING: "unknown peer", UNKNOWN_CALLED: "wrong called AE title"}.get(
                refusal, "too many associations"
            )
        self.service.audit.tell(
            Event(
                "node.connected",
                actor,
                outcome="success" if refusal is None else "refused",
                project=peer.project if peer is not None else "",
                address=str(link.requestor.address),
                detail=detail,
            )
        )

    def _gone(self, link: Link) -> None:
        with self._lock:
            self._links.pop(link, None)

    def _peer(self, link: Link) -> Peer:
        with self._lock:
            peer = self._links.get(link)
        if peer is None:
            raise DiascopeError("an association of nobody")
        return peer

    def _store(
        self, link: Link, request: StoreRequest, context: PresentationContext, data: Iterator[memoryview]
    ) -> tuple[int, str]:
        peer = self._peer(link)
        origin = Origin(peer.actor, str(link.requestor.address), peer.project, peer.id)
        return self.storing.store(origin, request, context, data, "store" in peer.rights)

    def _serve(self, link: Link, message: Any, context: PresentationContext) -> None:
        peer = self._peer(link)
        if isinstance(message, C_ECHO):
            link.answer(message, context, 0x0000)
        elif isinstance(message, C_FIND):
            self._find(link, message, context, peer)
        elif isinstance(message, C_GET | C_MOVE):
            self._retrieving.serve(link, message, context, peer)
        else:
            link.abort()

    def _find(self, link: Link, message: Any, context: PresentationContext, peer: Peer) -> None:
        syntax = str(context.transfer_syntax[0])
        try:
            root = FIND[str(context.abstract_syntax)]
            identifier = message.Identifier.getvalue() if message.Identifier else b""
            asked = read_query(read(self._decoder, identifier, syntax), root)
            event = Event(
                "study.queried",
                peer.actor,
                project=peer.project,
                address=str(link.requestor.address),
                detail={"level": asked.level, "keys": ",".join(sorted(asked.keys))[:500]},
            )
            self.service.audit.tell(event)  # before the answers: where it can't be written down, nobody gets any
            for number, answer in enumerate(answers(self.service, peer, asked)):
                if link.dimse.cancel_req.pop(message.MessageID, None) is not None or link.leaving:
                    link.answer(message, context, 0xFE00)
                    return
                if number == MOST:
                    link.answer(message, context, 0xB001)
                    return
                link.answer(message, context, 0xFF00, Identifier=BytesIO(encoded(answer, syntax == IMPLICIT)))
        except (BadUsage, DataRefused) as error:
            link.answer(message, context, 0xA900, ErrorComment=error.wrong[:64])
        except DiascopeError as error:
            log.warning("a query failed: %s", type(error).__name__)
            link.answer(message, context, 0xA700, ErrorComment=error.wrong[:64])
        else:
            link.answer(message, context, 0x0000)


def _room_for_descriptors() -> None:
    """Strangers that keep connections open must not keep the databases from opening files (C9)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@cache
def _supported(rights: frozenset[str]) -> list[PresentationContext]:
    return contexts.supported(rights)
