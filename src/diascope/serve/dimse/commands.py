"""DIMSE command sets and P-DATA as bytes (PS3.7 6.3, 9.3.1; PS3.8 9.3.5).

A C-STORE is the one message that comes in thousands, so its command is read and written here, without a data set
object. Everything is bounded: a command set is a flat list of short elements, in implicit VR little endian, and
nothing in it is a sequence.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from diascope.formats.dicomio.uids import is_uid

LONGEST_COMMAND = 1 << 16
"""Bytes of a command set; real ones have some hundreds."""

C_STORE_RQ, C_STORE_RSP = 0x0001, 0x8001
NO_DATA_SET = 0x0101
P_DATA = 4

IMPLEMENTATION = "2.25.286425576962595779327891021217314906999"
"""Our implementation class UID, as written into files. It never changes: the same object has to be the same bytes."""


class BrokenCommandError(Exception):
    """A command set that is none."""


@dataclass(frozen=True)
class StoreRequest:
    """What a C-STORE-RQ announces (PS3.7 9.3.1.1).

    Args:
        message_id: Of this request.
        sop_class: What kind of object follows.
        instance: Its UID. Both came from outside and may be anything.
        originator: AE title that asked for the C-MOVE, "" where none.
    """

    message_id: int
    sop_class: str
    instance: str
    originator: str = ""

    @property
    def is_sound(self) -> bool:
        """Whether both UIDs are UIDs."""
        return is_uid(self.sop_class) and is_uid(self.instance)


def elements(encoded: bytes) -> dict[int, bytes]:
    """The elements of group 0000 of an encoded command set: element number to value.

    Raises:
        BrokenCommandError: When it is no command set.
    """
    found: dict[int, bytes] = {}
    at, end = 0, len(encoded)
    while at < end:
        if end - at < 8:
            raise BrokenCommandError("the command set ends within an element")
        group, element, length = struct.unpack_from("<HHL", encoded, at)
        at += 8
        if group != 0 or length > end - at:
            raise BrokenCommandError("this is no command set")
        found[element] = encoded[at : at + length]
        at += length
    return found


def number(found: Mapping[int, bytes], element: int) -> int:
    """An unsigned 16-bit value.

    Raises:
        BrokenCommandError: When it is missing or has another length.
    """
    value = found.get(element, b"")
    if len(value) != 2:
        raise BrokenCommandError(f"(0000,{element:04X}) is missing or not a number")
    return int.from_bytes(value, "little")


def text(found: Mapping[int, bytes], element: int) -> str:
    """A text value without padding; bytes that are not ASCII become U+FFFD, which no check lets through."""
    return found.get(element, b"").decode("ascii", "replace").strip(" \0")


def store_request(found: Mapping[int, bytes]) -> StoreRequest:
    """The fields of a C-STORE-RQ.

    Raises:
        BrokenCommandError: When it has no message id.
    """
    return StoreRequest(number(found, 0x0110), text(found, 0x0002), text(found, 0x1000), text(found, 0x1030))


def encode(fields: Iterable[tuple[int, bytes]]) -> bytes:
    """A command set of elements in ascending order, with the group length before them."""
    body = b"".join(
        struct.pack("<HHL", 0, element, len(value) + len(value) % 2) + value + b"\0" * (len(value) % 2)
        for element, value in fields
    )
    return struct.pack("<HHLL", 0, 0, 4, len(body)) + body


def store_response(request: StoreRequest, status: int, comment: str = "") -> bytes:
    """A C-STORE-RSP; UIDs that are none are not repeated. `comment`: at most 64 characters, no identities."""
    fields = [
        *([(0x0002, request.sop_class.encode())] if is_uid(request.sop_class) else []),
        (0x0100, C_STORE_RSP.to_bytes(2, "little")),
        (0x0120, request.message_id.to_bytes(2, "little")),
        (0x0800, NO_DATA_SET.to_bytes(2, "little")),
        (0x0900, status.to_bytes(2, "little")),
    ]
    if comment:
        fields.append((0x0902, _padded(comment[:64].encode("ascii", "replace"))))
    if is_uid(request.instance):
        fields.append((0x1000, request.instance.encode()))
    return encode(fields)


def store_command(request: StoreRequest, originator_id: int = 0) -> bytes:
    """A C-STORE-RQ, with medium priority."""
    fields = [
        (0x0002, request.sop_class.encode()),
        (0x0100, C_STORE_RQ.to_bytes(2, "little")),
        (0x0110, request.message_id.to_bytes(2, "little")),
        (0x0700, (0).to_bytes(2, "little")),
        (0x0800, (1).to_bytes(2, "little")),
        (0x1000, request.instance.encode()),
    ]
    if request.originator:
        fields += [(0x1030, _padded(request.originator.encode())), (0x1031, originator_id.to_bytes(2, "little"))]
    return encode(fields)


def _padded(value: bytes) -> bytes:
    """Text is padded with a space, UIDs with a NUL (PS3.5 6.2)."""
    return value + b" " * (len(value) % 2)


def command_pdu(context: int, command: bytes) -> bytes:
    """One P-DATA-TF PDU with a whole command set."""
    return struct.pack(">BBLLBB", P_DATA, 0, len(command) + 6, len(command) + 2, context, 3) + command


def data_pdus(context: int, chunks: Iterable[bytes], longest: int) -> Iterator[bytes]:
    """P-DATA-TF PDUs of a data set.

    Args:
        context: Presentation context id.
        chunks: The encoded data set.
        longest: What the peer takes in one PDU, bytes after its head of six; 0 is no limit.
    """
    size = min(longest or 1 << 20, 1 << 20) - 6
    waiting = bytearray()
    for chunk in chunks:
        waiting += chunk
        at = 0
        while len(waiting) - at > size:
            yield _data_pdu(context, waiting[at : at + size], 0)
            at += size
        del waiting[:at]
    yield _data_pdu(context, waiting, 2)


def _data_pdu(context: int, data: bytes | bytearray, control: int) -> bytes:
    return struct.pack(">BBLLBB", P_DATA, 0, len(data) + 6, len(data) + 2, context, control) + data


def file_header(sop_class: str, instance: str, syntax: str) -> bytes:
    """Preamble and file meta information of a data set that came over the network (PS3.10 7.1).

    It says nothing about who sent it and when: the same object from two senders is the same file.
    """
    body = b"".join(
        (
            _explicit(0x0001, b"OB", b"\0\1"),
            _explicit(0x0002, b"UI", sop_class.encode("ascii")),
            _explicit(0x0003, b"UI", instance.encode("ascii")),
            _explicit(0x0010, b"UI", syntax.encode("ascii")),
            _explicit(0x0012, b"UI", IMPLEMENTATION.encode("ascii")),
        )
    )
    return bytes(128) + b"DICM" + _explicit(0x0000, b"UL", len(body).to_bytes(4, "little")) + body


def _explicit(element: int, representation: bytes, value: bytes) -> bytes:
    value += b"\0" * (len(value) % 2)
    if representation == b"OB":
        return struct.pack("<HH2sHL", 2, element, representation, 0, len(value)) + value
    return struct.pack("<HH2sH", 2, element, representation, len(value)) + value
