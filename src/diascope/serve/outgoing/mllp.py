"""HL7 messages over TCP in blocks (MLLP), each answered by an acknowledgement that is waited for."""

from __future__ import annotations

import socket
import ssl
import time
from dataclasses import dataclass

from diascope.core.errors import BadUsage
from diascope.serve.outgoing.telling import Declined, NotDelivered

START, END = b"\x0b", b"\x1c\r"
MOST = 1 << 16
"""Bytes of an acknowledgement."""
ACCEPTED = ("AA", "CA")
DECLINED = ("AE", "AR", "CE", "CR")


@dataclass(frozen=True)
class Destination:
    """Where messages go.

    Args:
        host: Name or address.
        port: TCP port.
        seconds: To connect, send and be answered, all together.
        tls: Context of a client; None sends in the clear.
        address: That is connected to, where it was looked at before (`destinations.py`); "" looks the host up.
    """

    host: str
    port: int
    seconds: float = 30.0
    tls: ssl.SSLContext | None = None
    address: str = ""

    @property
    def name(self) -> str:
        """For errors and audit."""
        return f"{self.host}:{self.port}"


def send(message: str, to: Destination) -> None:
    """Send a message and wait for its acknowledgement.

    Raises:
        BadUsage: When it is no message.
        NotDelivered: When the other side cannot be reached, answers another message, or not in time.
        Declined: When it answers AE or AR.
    """
    wanted = _field(message, "MSH", 9)
    if not wanted or any(mark in message for mark in "\x0b\x1c"):
        raise BadUsage("an HL7 message has a header with a control id, and no block marks")
    until = time.monotonic() + to.seconds
    try:
        with _connected(to) as connection:
            connection.settimeout(_left(until, to))
            connection.sendall(START + message.encode() + END)
            answer = _answer(connection, until, to)
    except OSError as error:  # TimeoutError and ssl.SSLError are OSErrors; their words quote no message
        raise NotDelivered(
            f"{to.name} did not take the message: {error.strerror or type(error).__name__}",
            todo="It is sent again later",
        ) from error
    _judge(answer, wanted, to)


def _connected(to: Destination) -> socket.socket:
    plain = socket.create_connection((to.address or to.host, to.port), timeout=to.seconds)
    if to.tls is None:
        return plain
    try:
        return to.tls.wrap_socket(plain, server_hostname=to.host)
    except BaseException:
        plain.close()
        raise


def _answer(connection: socket.socket, until: float, to: Destination) -> str:
    """The first block that comes."""
    content = b""
    while END not in content:
        connection.settimeout(_left(until, to))
        part = connection.recv(4096)
        content += part
        if not part or len(content) > MOST:
            what = "an endless answer" if part else "hung up without an acknowledgement"
            raise NotDelivered(f"{to.name}: {what}", todo="It is sent again later")
    block = content.partition(END)[0]
    return block.rpartition(START)[2].decode("utf-8", "replace")


def _left(until: float, to: Destination) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise NotDelivered(f"{to.name} did not answer within {to.seconds:g} s", todo="It is sent again later")
    return left


def _judge(answer: str, wanted: str, to: Destination) -> None:
    """Whether an acknowledgement is of our message, and accepts it. Its text is not quoted: it may name the patient."""
    code, about = _field(answer, "MSA", 1), _field(answer, "MSA", 2)
    if about != wanted:
        raise NotDelivered(f"{to.name} acknowledged another message", todo="It is sent again later")
    if code in DECLINED:
        raise Declined(to.name, code)
    if code not in ACCEPTED:
        raise NotDelivered(f"{to.name} answered with an acknowledgement that has no code", todo="It is sent again")


def _field(message: str, segment: str, number: int) -> str:
    """A field by its place after the segment's name (in MSH the separator itself is the first of the standard)."""
    mark = message[3:4] if message.startswith("MSH") else "|"
    for line in message.replace("\n", "\r").split("\r"):
        fields = line.split(mark or "|")
        if fields[0] == segment:
            return fields[number].strip() if len(fields) > number else ""
    return ""
