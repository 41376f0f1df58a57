"""What comes out of a socket: exactly so many bytes, or pieces as they come, with limits on time and memory."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator

BUFFER = 1 << 18
"""Bytes that are received at once."""

SLOWEST = 10_000
"""Bytes a second that a peer must manage within a PDU."""


class CutShortError(Exception):
    """Another PDU came where a message was to go on: an abort, or nonsense."""

    def __init__(self, kind: int, length: int) -> None:
        self.kind, self.length = kind, length


class ClosedError(Exception):
    """The connection is closed or broken, or the peer is too slow. No `OSError`: those are of our own disk."""


class Inflow:
    """What comes out of a socket, with a buffer of fixed size.

    Args:
        connection: Connected.
        seconds: That a peer may be silent within a PDU.
    """

    def __init__(self, connection: socket.socket, seconds: float) -> None:
        self.connection, self.seconds = connection, seconds
        self._buffer = memoryview(bytearray(BUFFER))
        self._start = self._end = 0

    @property
    def pending(self) -> int:
        """Bytes that were received and not taken."""
        return self._end - self._start

    def head(self) -> tuple[int, int]:
        """Type and length of the next PDU (PS3.8 9.3.1)."""
        kind, _, length = struct.unpack(">BBL", self.take(6))
        return kind, length

    def take(self, length: int) -> bytes:
        """Exactly so many bytes.

        Raises:
            ClosedError: When the connection ends before, or the peer is too slow.
        """
        if length <= BUFFER:
            self._fill(length)
            return bytes(self._some(length))
        parts, deadline = bytearray(), time.monotonic() + self.seconds + length / SLOWEST
        while len(parts) < length:
            if time.monotonic() > deadline:
                raise ClosedError("the peer is too slow")
            parts += next(self.pieces(min(length - len(parts), BUFFER)))
        return bytes(parts)

    def pieces(self, length: int) -> Iterator[memoryview]:
        """The next bytes, as they come; each piece is good until the next is asked for."""
        while length:
            if not self.pending:
                self._receive(self.seconds)
            piece = self._some(min(length, self.pending))
            length -= len(piece)
            yield piece

    def _fill(self, length: int) -> None:
        if self.pending >= length:
            return
        if self._start + length > BUFFER:
            rest = bytes(self._buffer[self._start : self._end])
            self._buffer[: len(rest)] = rest
            self._start, self._end = 0, len(rest)
        deadline = time.monotonic() + self.seconds + length / SLOWEST
        while self.pending < length:
            self._receive(deadline - time.monotonic())

    def _receive(self, seconds: float) -> None:
        if self._start == self._end:
            self._start = self._end = 0
        if seconds <= 0:
            raise ClosedError("the peer is too slow")
        try:
            self.connection.settimeout(seconds)
            count = self.connection.recv_into(self._buffer[self._end :])
        except OSError as error:
            raise ClosedError(str(error)) from error
        if not count:
            raise ClosedError("the connection was closed")
        self._end += count
        acknowledge_at_once(self.connection)

    def _some(self, length: int) -> memoryview:
        piece = self._buffer[self._start : self._start + length]
        self._start += length
        return piece


def acknowledge_at_once(connection: socket.socket) -> None:
    """No delayed acknowledgement of what was just received; Linux forgets it soon, so it is said again each time."""
    if hasattr(socket, "TCP_QUICKACK"):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
