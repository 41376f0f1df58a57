"""Associations: those that peers ask for, and those that we ask for, on the reactor of `provider.py`."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from typing import Any

from pynetdicom import AE, build_role
from pynetdicom._globals import MODE_ACCEPTOR, MODE_REQUESTOR
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import A_ASSOCIATE
from pynetdicom.presentation import PresentationContext
from pynetdicom.transport import AddressInformation

from diascope.core.errors import Unavailable
from diascope.serve.dimse import commands
from diascope.serve.dimse.commands import StoreRequest
from diascope.serve.dimse.provider import BEAT, LARGEST_PDU, Connection, Noticed, Outflow, Provider
from diascope.serve.dimse.security import fingerprint

PENDING = (0xFF00, 0xFF01)
"""Statuses after which more answers come."""

Receive = Callable[["Link", StoreRequest, PresentationContext, Iterator[memoryview]], tuple[int, str]]
"""Takes an object and says with which status it is answered, and a comment."""


class Link(Association):
    """One association with a peer.

    Args:
        entity: Our application entity, with its time-outs.
        mode: `acceptor` or `requestor`.
        on_store: What is done with objects that come.
    """

    dul: Provider

    def __init__(self, entity: AE, mode: str, on_store: Receive) -> None:
        self.stirred = threading.Event()
        self.leaving = False
        """Whether it ends after the message that is being served."""
        self._storing = self._serving = False
        super().__init__(entity, mode)
        self.dul = Provider(self)
        self.dimse.msg_queue = Noticed(self.stirred)
        self.acse_timeout, self.network_timeout = entity.acse_timeout, entity.network_timeout
        self._on_store = on_store

    @property
    def busy(self) -> bool:
        """Whether a message is being served."""
        return self._storing or self._serving

    def receive(
        self, request: StoreRequest, context: PresentationContext, data: Iterator[memoryview]
    ) -> tuple[int, str]:
        """Give an object to whoever keeps it."""
        self._storing = True
        try:
            return self._on_store(self, request, context, data)
        finally:
            self._storing = False

    def cut(self) -> None:
        """End it at once, whatever it does."""
        self.abort(block=False)

    def answer(self, message: Any, context: PresentationContext, status: int, **fields: Any) -> None:
        """Send the response to a message.

        Args:
            message: The request.
            context: Under which it came.
            status: Of the response.
            **fields: Further fields of the response, by their names in pynetdicom.
        """
        response = type(message)()
        response.MessageIDBeingRespondedTo = message.MessageID
        response.AffectedSOPClassUID = message.AffectedSOPClassUID
        response.Status = status
        for name, value in fields.items():
            setattr(response, name, value)
        self.dimse.send_msg(response, context.context_id or 0)

    def give(
        self, context: PresentationContext, request: StoreRequest, data: Iterable[bytes], original: int = 0
    ) -> int:
        """Send one object and wait for the answer.

        Args:
            context: Accepted for its class and syntax.
            request: What it is.
            data: The encoded data set.
            original: Message id of the C-MOVE that asked for it.

        Returns:
            The status of the answer.

        Raises:
            Unavailable: When the association ended, or no answer came in time.
        """
        context_id = context.context_id or 0
        longest = (self.requestor if self.is_acceptor else self.acceptor).maximum_length or 0
        command = commands.command_pdu(context_id, commands.store_command(request, original))
        with self.paused():
            self.dul.send_pdu(Outflow(chain((command,), commands.data_pdus(context_id, data, longest))))
            answer = self.answered(request.message_id)
        return int(answer.Status)

    def ask(self, context: PresentationContext, message: Any) -> Iterator[Any]:
        """Send a request and yield its answers, the last one too.

        Raises:
            Unavailable: When the association ended, or no answer came in time.
        """
        with self.paused():
            self.dimse.send_msg(message, context.context_id or 0)
            while True:
                answer = self.answered(message.MessageID)
                yield answer
                if answer.Status not in PENDING:
                    return

    def answered(self, message_id: int) -> Any:
        """The next answer.

        Raises:
            Unavailable: When none comes, or one to another message.
        """
        _, answer = self.dimse.get_msg(block=True)
        if answer is None or answer.MessageIDBeingRespondedTo != message_id:
            self.abort(block=False)
            raise Unavailable(
                "the peer did not answer", given=str(self.remote["ae_title"]), todo="See whether it runs, and try again"
            )
        return answer

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Keep the reactor from taking the answers away."""
        if self.is_acceptor:  # its reactor is what calls us
            yield
            return
        self._reactor_checkpoint.clear()
        try:
            self.stirred.set()
            while not self._is_paused:
                time.sleep(0.0001)
            yield
        finally:
            self._reactor_checkpoint.set()

    def accepted(self, sop_class: str, syntaxes: Collection[str]) -> PresentationContext | None:
        """A context under which we may send objects of a class in one of some syntaxes."""
        ours = (c for c in self.accepted_contexts if c.as_scu and str(c.abstract_syntax) == sop_class)
        return next((context for context in ours if str(context.transfer_syntax[0]) in syntaxes), None)

    def leave(self) -> None:
        """End the association when the message that is being served has been answered."""
        self.leaving = True
        self.stirred.set()

    def _run_reactor(self) -> None:
        """Serve messages; waits in place of looking every millisecond."""
        self._is_paused = False
        while not self._kill:
            self._is_paused = True
            if not self.leaving:
                self.stirred.wait(BEAT)
            self.stirred.clear()
            self._reactor_checkpoint.wait()
            self._is_paused = False
            if self._kill:
                return
            context, message = self.dimse.get_msg(block=False)
            if message:
                self._serving = True
                try:
                    self._serve_request(message, context or 0)
                finally:
                    self._serving = False
                self.stirred.set()  # there may be more
            if self._has_ended():
                self.kill()
                return

    def _has_ended(self) -> bool:
        if self.is_established and self.acse.is_release_requested():
            self.acse.send_release(is_response=True)
            self.is_released, self.is_established = True, False
        elif self.acse.is_aborted():
            self.dul.receive_pdu(wait=False)
            self.is_aborted, self.is_established = True, False
        elif not self.dul.is_alive():
            self.is_established = False
        elif self.dul.idle_timer_expired() or (self.leaving and not self.busy):
            self.abort()
        else:
            return False
        return True


class Incoming(Link):
    """An association that a peer asked for.

    Args:
        entity: Our application entity.
        connection: Connected, after the TLS handshake where there is one.
        address: Of the peer.
        admit: Whether the peer may in: None, or result, source and diagnostic of the A-ASSOCIATE-RJ (PS3.8 9.3.4). It
            sets the contexts that are supported.
        on_store: What is done with objects.
        serve: What is done with all other messages.
        gone: Told when it has ended.
    """

    def __init__(
        self,
        entity: AE,
        connection: socket.socket,
        address: tuple[Any, ...],
        admit: Callable[[Incoming], tuple[int, int, int] | None],
        on_store: Receive,
        serve: Callable[[Link, Any, PresentationContext], None],
        gone: Callable[[Link], None],
    ) -> None:
        super().__init__(entity, MODE_ACCEPTOR, on_store)
        self._admit, self._serve, self._gone = admit, serve, gone
        self.connection = connection
        self.set_socket(Connection(self, client_socket=connection))
        self.acceptor.maximum_length = LARGEST_PDU
        self.acceptor.ae_title = entity.ae_title
        self.acceptor.implementation_class_uid = entity.implementation_class_uid
        self.acceptor.implementation_version_name = entity.implementation_version_name
        self.requestor.address_info = AddressInformation.from_tuple(address)

    def run_reactor(self) -> None:
        """Serve the association until it ends."""
        try:
            self._run()
        finally:
            self._end()
            self._gone(self)

    def _run(self) -> None:
        self.dul.start()
        self._started_dul = True
        self._dul_ready.wait()
        asked: Any = self.dul.receive_pdu(wait=True, timeout=self.acse_timeout)
        if isinstance(asked, A_ASSOCIATE):
            self.requestor.primitive = asked
            self.requestor.ae_title = asked.calling_ae_title
            refusal = self._admit(self)
            if refusal is None:
                self.acse.negotiate_association()
            else:
                self.acse.send_reject(*refusal)
        if self.is_established:
            self._run_reactor()

    def cut(self) -> None:
        """End it at once, whatever it does."""
        self._kill = True
        self.stirred.set()
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _end(self) -> None:
        """Let what was said last reach the peer, then close."""
        limit = time.monotonic() + 2.0
        while self.dul.is_alive() and self.dul.state_machine.current_state != "Sta1" and time.monotonic() < limit:
            time.sleep(0.005)
        self._kill = True
        self.dul.kill_dul()
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        self.dul.join(5.0)
        self.connection.close()

    def _serve_request(self, msg: Any, context_id: int) -> None:
        context = self._accepted_cx.get(context_id)
        if context is None or not msg.is_valid_request:
            self.abort()
            return
        self.dimse.cancel_req = {}
        self._is_paused = True
        self._serve(self, msg, context)
        self.dimse.cancel_req = {}


class Outgoing(Link):
    """An association that we ask for.

    Args:
        entity: Our application entity.
        on_store: What is done with objects that come over it (C-GET).
    """

    def __init__(self, entity: AE, on_store: Receive) -> None:
        super().__init__(entity, MODE_REQUESTOR, on_store)

    def open(
        self,
        address: tuple[str, int],
        called: str,
        wanted: Sequence[PresentationContext],
        tls: ssl.SSLContext | None = None,
        roles: Collection[str] = (),
    ) -> None:
        """Ask for the association.

        Args:
            address: Host and port of the peer.
            called: Its AE title.
            wanted: At most 128 contexts.
            tls: TLS, None without.
            roles: Classes of which we want to receive objects (C-GET).

        Raises:
            Unavailable: When the peer can't be reached or does not want us.
        """
        try:
            found = AddressInformation.from_addr_port(*address)
        except OSError as error:
            raise Unavailable("the peer's host is not known", given=address[0], todo="Correct its settings") from error
        local = AddressInformation("::" if found.is_ipv6 else "0.0.0.0", 0)
        connection = Connection(self, address=local)
        if tls is not None:
            connection.tls_args = (tls, address[0])
        self.set_socket(connection)
        self.acceptor.ae_title, self.acceptor.address_info = called, found
        self.requestor.address_info, self.requestor.ae_title = local, self.ae.ae_title
        self.requestor.maximum_length = LARGEST_PDU
        self.requestor.implementation_class_uid = self.ae.implementation_class_uid
        self.requestor.implementation_version_name = self.ae.implementation_version_name
        for name in roles:
            self.requestor.add_negotiation_item(build_role(name, scu_role=False, scp_role=True))
        for number, context in enumerate(wanted):
            context.context_id = 2 * number + 1
        self.requestor.requested_contexts = list(wanted)
        self.request()
        if self.is_established:
            self.start()
            return
        refused = self.is_rejected
        self.close()
        raise Unavailable(
            "the peer refused the association" if refused else "the peer does not answer",
            given=f"{called} at {address[0]}:{address[1]}",
            todo="See whether it knows our AE title and address" if refused else "See whether it runs, and try again",
        )

    def certificate(self) -> str | None:
        """SHA-256 of the certificate that the peer showed; None without TLS."""
        connection = self.dul.socket.socket if self.dul.socket is not None else None
        return fingerprint(connection) if connection is not None else None

    def close(self) -> None:
        """Release the association, or break it off where that fails."""
        if self.is_established:
            self.release()
        self._kill = True
        self.stirred.set()
        self._reactor_checkpoint.set()
        self.dul.kill_dul()
        if self.dul.is_alive():
            self.dul.join(5.0)
        connection = self.dul.socket.socket if self.dul.socket is not None else None
        if connection is not None:
            connection.close()
        if self.is_alive():
            self.join(5.0)
