"""One association: pynetdicom's state machine, with a reactor that waits instead of polling and objects that stream.

pynetdicom 3.0.4 looks at its socket and its queues once a millisecond, in two threads, reads 4 KB at a time, and holds
each object in memory while it turns every PDU into objects of its own. Here both threads sleep until there is
something to do, and the data set of a C-STORE goes from the socket to the draft in pieces, in the thread that reads.
Nagle's algorithm and delayed acknowledgements cost 40 ms a message where small PDUs meet; both are turned off.
"""

from __future__ import annotations

import contextlib
import queue
import select
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pynetdicom.dul import DULServiceProvider
from pynetdicom.pdu_primitives import A_P_ABORT, P_DATA
from pynetdicom.transport import AssociationSocket

from diascope.serve.dimse import commands
from diascope.serve.dimse.commands import BrokenCommandError, StoreRequest
from diascope.serve.dimse.flowing import ClosedError, CutShortError, Inflow

if TYPE_CHECKING:
    from diascope.serve.dimse.association import Link

LARGEST_PDU = 1 << 20
"""What we take in one P-DATA-TF PDU, bytes."""

LARGEST_ASSOCIATE = 1 << 18
"""128 presentation contexts with all syntaxes have some 100 KB."""

LARGEST_IDENTIFIER = 1 << 20
"""Data set of a query or of its answer, bytes; objects are not limited here."""

MOST_REQUESTS, MOST_ANSWERS = 8, 1000
"""Messages that wait for the thread that serves them."""

BEAT = 0.5
"""Seconds between looks at the timers while nothing happens."""


class Outflow:
    """PDUs that are written one after the other; stands in the queue of what is to be sent.

    Args:
        pdus: Encoded. They are made while they are sent, so that an object is never whole in memory.
    """

    def __init__(self, pdus: Iterator[bytes]) -> None:
        self.pdus = pdus
        self.failed: Exception | None = None
        self.sent = threading.Event()


class Connection(AssociationSocket):
    """The connection: readiness without `select`, which knows 1,024 descriptors only."""

    inflow: Inflow | None = None

    @property
    def ready(self) -> bool:
        if self.socket is None or not self._is_connected:
            return False
        if self.inflow is not None and self.inflow.pending:
            return True
        if isinstance(self.socket, ssl.SSLSocket) and self.socket.pending():
            return True
        try:
            return bool(_polled([self.socket.fileno()], 0))
        except (OSError, ValueError):
            self.event_queue.put("Evt17")
            return False

    def send(self, bytestream: bytes) -> None:
        connection = self.socket
        try:
            if connection is None:
                raise ClosedError("the connection is closed")
            connection.settimeout(self.assoc.network_timeout)
            connection.sendall(bytestream)
        except (OSError, ClosedError):
            self.event_queue.put("Evt17")

    def _shutdown_socket(self) -> None:
        """Close it in any case: pynetdicom leaves one open that was never connected."""
        if self.socket is not None:
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)
            self.socket.close()

    def flow(self) -> Inflow:
        """What comes in."""
        if self.inflow is None:
            if self.socket is None:
                raise ClosedError("the connection is closed")
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.inflow = Inflow(self.socket, self.assoc.network_timeout or 60.0)
        return self.inflow


def _polled(descriptors: list[int], seconds: float) -> list[int]:
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN | select.POLLPRI)
    return [descriptor for descriptor, _ in poll.poll(seconds * 1000)]


class Noticed(queue.Queue):  # type: ignore[type-arg]
    """A queue that wakes who waits for several."""

    def __init__(self, stirred: threading.Event) -> None:
        super().__init__()
        self._stirred = stirred

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        super().put(item, block, timeout)
        self._stirred.set()


class Provider(DULServiceProvider):
    """The thread that reads and writes."""

    assoc: Link
    socket: Connection | None

    def __init__(self, link: Link) -> None:
        super().__init__(link)
        self.to_user_queue = Noticed(link.stirred)
        self._room = threading.Event()
        self._ringer: socket.socket | None = None
        self._bell: socket.socket | None = None

    def ring(self) -> None:
        """Wake the thread."""
        ringer = self._ringer
        if ringer is not None:
            with contextlib.suppress(OSError):  # it has ended, or is full of rings
                ringer.send(b"\0")

    def send_pdu(self, primitive: Any) -> None:
        super().send_pdu(primitive)
        self.ring()

    def kill_dul(self) -> None:
        super().kill_dul()
        self.ring()

    def stop_dul(self) -> bool:
        if self.state_machine.current_state != "Sta1":
            return False
        self.kill_dul()
        self.join()
        return True

    def run_reactor(self) -> None:
        """Serve events until the association has ended."""
        self._bell, self._ringer = socket.socketpair()
        self._bell.setblocking(False)
        self._ringer.setblocking(False)
        try:
            self._idle_timer.start()
            self.assoc._dul_ready.set()
            while not self._kill_thread:
                self._turn()
        finally:
            ringer, self._ringer = self._ringer, None
            ringer.close()
            self._bell.close()
            self.assoc.stirred.set()

    def _turn(self) -> None:
        if self.artim_timer.expired:
            self.event_queue.put("Evt18")
        try:
            if self._process_recv_primitive():
                pass
            elif self._is_transport_event():
                self._idle_timer.restart()
        except Exception:
            # The border of a thread: whatever a peer made us do wrong ends its association and no other.
            self._break_off()
            return
        try:
            event = self.event_queue.get(block=False)
        except queue.Empty:
            self._wait()
            return
        before = self.state_machine.current_state
        try:
            self.state_machine.do_action(event)
        except Exception:  # the same border; pynetdicom raises where a peer says what does not fit the state
            self._break_off()
            return
        if before == "Sta2" and self.state_machine.current_state == "Sta1":
            self.to_user_queue.put(A_P_ABORT())  # it left before it asked for an association

    def _wait(self) -> None:
        assert self._bell is not None
        descriptors = [self._bell.fileno()]
        connection = self.socket.socket if self.socket is not None and self.socket._is_connected else None
        if connection is not None and connection.fileno() >= 0:
            descriptors.append(connection.fileno())
        if self._bell.fileno() in _polled(descriptors, BEAT):
            with contextlib.suppress(BlockingIOError):
                self._bell.recv(4096)

    def _break_off(self) -> None:
        self.assoc.is_aborted, self.assoc.is_established = True, False
        self.assoc._kill = self._kill_thread = True
        self.assoc._reactor_checkpoint.set()
        if self.socket is not None:
            self.socket.send(b"\x07\0\0\0\0\4\0\0\2\0")  # A-ABORT by the provider, no reason (PS3.8 9.3.8)
            self.socket.close()

    def _is_transport_event(self) -> bool:
        if self.state_machine.current_state == "Sta13" and self.socket is not None:
            self.socket.close()  # all was said; what still comes is not read
            return True
        return super()._is_transport_event()

    def _process_recv_primitive(self) -> bool:
        waiting = self.to_provider_queue.queue
        if waiting and isinstance(waiting[0], Outflow):
            self._write(self.to_provider_queue.get())  # type: ignore[arg-type]
            return True
        return super()._process_recv_primitive()

    def _write(self, outflow: Outflow) -> None:
        try:
            if self.socket is None or self.socket.socket is None or self.state_machine.current_state != "Sta6":
                raise ClosedError("the association has ended")
            connection = self.socket.socket
            connection.settimeout(self.network_timeout or 60.0)
            for pdu in outflow.pdus:
                connection.sendall(pdu)
            self._idle_timer.restart()
        except (OSError, ClosedError) as error:
            outflow.failed = error
            self.event_queue.put("Evt17")
        finally:
            outflow.sent.set()

    def _read_pdu_data(self) -> None:
        """Read one PDU, or the whole message that it begins."""
        assert self.socket is not None
        try:
            kind, length = self.socket.flow().head()
            while True:
                try:
                    self._read(kind, length)
                except CutShortError as error:
                    kind, length = error.kind, error.length
                else:
                    return
        except ClosedError:
            self.event_queue.put("Evt17")

    def _read(self, kind: int, length: int) -> None:
        assert self.socket is not None
        longest = LARGEST_PDU + 6 if kind == commands.P_DATA else LARGEST_ASSOCIATE
        if not 1 <= kind <= 7 or length > longest:
            self.event_queue.put("Evt19")
        elif kind == commands.P_DATA and self.state_machine.current_state == "Sta6":
            try:
                self._read_message(length)
            except BrokenCommandError:
                self.event_queue.put("Evt19")
        else:
            self._read_control(kind, length)

    def _read_control(self, kind: int, length: int) -> None:
        assert self.socket is not None
        encoded = struct.pack(">BBL", kind, 0, length) + self.socket.flow().take(length)
        if kind == commands.P_DATA and self.state_machine.current_state == "Sta7":
            return  # an answer that nobody waits for any more
        try:
            pdu, event = self._decode_pdu(bytearray(encoded))
        except Exception:  # pynetdicom raises whatever its parsing met
            self.event_queue.put("Evt19")
            return
        self.event_queue.put(event)
        self._recv_pdu.put(pdu)

    def _read_message(self, length: int) -> None:
        pieces = self._pieces(length)
        context, command = _command(pieces)
        found = commands.elements(command)
        if commands.number(found, 0x0100) == commands.C_STORE_RQ:
            self._store(context, commands.store_request(found), pieces)
            return
        self._make_room(is_answer=bool(commands.number(found, 0x0100) & 0x8000))
        data = bytearray()
        if commands.number(found, 0x0800) != commands.NO_DATA_SET:
            for piece in _data(pieces, context):
                data += piece
                if len(data) > LARGEST_IDENTIFIER:
                    raise BrokenCommandError("the data set of a query is too long")
        whole = P_DATA()
        whole.presentation_data_value_list.append((context, b"\x03" + command))
        if data:
            whole.presentation_data_value_list.append((context, b"\x02" + bytes(data)))
        self.assoc.dimse.receive_primitive(whole)

    def _make_room(self, is_answer: bool) -> None:
        """Answers wait in the network when too many wait here; requests beyond a few are a breach of the protocol.

        Nobody negotiated more than one request at a time (PS3.7 D.3.3.3).
        """
        waiting = self.assoc.dimse.msg_queue
        if not is_answer and waiting.qsize() >= MOST_REQUESTS:
            raise BrokenCommandError("too many requests at a time")
        while waiting.qsize() >= MOST_ANSWERS and not self._kill_thread and not self.assoc._kill:
            self._room.wait(0.01)

    def _store(self, context_id: int, request: StoreRequest, pieces: Pieces) -> None:
        context = self.assoc._accepted_cx.get(context_id)
        if context is None or not context.as_scp:
            raise BrokenCommandError("an object under a context that was not accepted")
        data = _data(pieces, context_id)
        status, comment = self.assoc.receive(request, context, data)
        for _ in data:
            pass  # what was refused is still on its way
        self._idle_timer.restart()
        if self.socket is not None:
            self.socket.send(commands.command_pdu(context_id, commands.store_response(request, status, comment)))
        if self.assoc.leaving:
            self.event_queue.put("Evt15")

    def _pieces(self, length: int) -> Pieces:
        """The pieces of a message, over all its PDUs: context, control header, bytes, whether the value ends."""
        assert self.socket is not None
        flow = self.socket.flow()
        while True:
            while length:
                if length < 6:
                    raise BrokenCommandError("a presentation data value without a head")
                size, context, control = struct.unpack(">LBB", flow.take(6))
                if size < 2 or size + 4 > length:
                    raise BrokenCommandError("a presentation data value longer than its PDU")
                length -= size + 4
                rest = size - 2
                if not rest:
                    yield context, control, memoryview(b""), True
                for piece in flow.pieces(rest):
                    rest -= len(piece)
                    yield context, control, piece, not rest
            kind, length = flow.head()
            if kind != commands.P_DATA or length > LARGEST_PDU + 6:
                raise CutShortError(kind, length)


Pieces = Iterator[tuple[int, int, memoryview, bool]]


def _command(pieces: Pieces) -> tuple[int, bytes]:
    command = bytearray()
    for context, control, piece, ends in pieces:
        if not control & 1:
            raise BrokenCommandError("a data set without a command")
        command += piece
        if len(command) > commands.LONGEST_COMMAND:
            raise BrokenCommandError("the command set is too long")
        if control & 2 and ends:
            return context, bytes(command)
    raise BrokenCommandError("no command")


def _data(pieces: Pieces, expected: int) -> Iterator[memoryview]:
    for context, control, piece, ends in pieces:
        if control & 1 or context != expected:
            raise BrokenCommandError("a command within a data set")
        yield piece
        if control & 2 and ends:
            return
