"""Messages between this process and the decoder child: JSON over a Unix socket, and one file descriptor for pixels.

JSON, not pickle: what comes back from a process that parsed foreign bytes is data and never code.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from typing import Any

LONGEST = 256 << 20
"""Bytes that one message may have; a longer one means that the other side is not sane."""


class HangupError(Exception):
    """The other side closed the connection or sent nonsense."""


def send(connection: socket.socket, message: dict[str, Any], descriptor: int | None = None) -> None:
    """Send one message, with at most one file descriptor.

    Raises:
        OSError: When the other side is gone.
    """
    body = json.dumps(message).encode()
    head = struct.pack(">Q", len(body))
    if descriptor is None:
        connection.sendall(head)
    else:
        socket.send_fds(connection, [head], [descriptor])
    connection.sendall(body)


def receive(connection: socket.socket) -> tuple[dict[str, Any], int | None]:
    """Receive one message and the file descriptor that came with it (the caller closes it).

    Raises:
        HangupError: When the other side is gone or sent something that is not a message.
        TimeoutError: When the socket's time limit passes.
    """
    head, descriptors, _, _ = socket.recv_fds(connection, 8, 1)
    try:
        (length,) = struct.unpack(">Q", head + _exactly(connection, 8 - len(head)))
        if length > LONGEST:
            raise HangupError(f"a message of {length} bytes")
        message = json.loads(_exactly(connection, length))
        if not isinstance(message, dict):
            raise HangupError("a message that is not an object")
    except BaseException as error:
        for descriptor in descriptors:
            os.close(descriptor)
        if isinstance(error, ValueError):
            raise HangupError("a message that is not JSON") from error
        raise
    return message, descriptors[0] if descriptors else None


def _exactly(connection: socket.socket, length: int) -> bytes:
    """Read `length` bytes."""
    parts = bytearray()
    while len(parts) < length:
        part = connection.recv(min(length - len(parts), 1 << 20))
        if not part:
            raise HangupError("the connection was closed")
        parts += part
    return bytes(parts)
