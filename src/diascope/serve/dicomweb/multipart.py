"""multipart/related (RFC 2387) as streams: a body is read part by part, a part chunk by chunk, never as a whole."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from email.message import Message

from diascope.core.errors import BadUsage

LONGEST_HEADERS = 16 << 10
"""Bytes that the headers of a part may have."""

LONGEST_PROLOGUE = 4 << 10
"""Bytes that may stand before the first part; RFC 2046 allows a remark there."""

MOST_PARTS = 100_000

BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,199}[0-9A-Za-z'()+_,\-./:=?]")
"""RFC 2046 5.1.1, which allows 70 characters; Orthanc's have 73."""


class Malformed(BadUsage):
    """A body that is no multipart message."""


@dataclass(frozen=True)
class MediaType:
    """A media type with its parameters.

    Args:
        name: `application/dicom`, in lower case.
        parameters: Lower-case name to value.
    """

    name: str
    parameters: Mapping[str, str]


def media_type(text: str) -> MediaType:
    """Read a `Content-Type`, or one entry of an `Accept` header."""
    message = Message()
    message["content-type"] = text.replace("\r", " ").replace("\n", " ")
    name, _, _ = text.partition(";")
    found = message.get_params(failobj=[]) or []
    parameters = {key.lower(): value for key, value in found[1:] if isinstance(value, str)}
    return MediaType(name.strip().lower(), parameters)


def boundary_of(kind: MediaType) -> bytes:
    """The boundary that a multipart type names.

    Raises:
        Malformed: When it names none, or one that RFC 2046 does not allow.
    """
    boundary = kind.parameters.get("boundary", "")
    if not BOUNDARY.fullmatch(boundary):
        raise Malformed("the Content-Type names no usable boundary", todo="Send multipart/related; boundary=…")
    return boundary.encode("ascii")


class Part:
    """One part, to be read before the next one is asked for; what was not read is skipped.

    Args:
        headers: Lower-case name to value.
        content: Its bytes, in chunks.
    """

    def __init__(self, headers: Mapping[str, str], content: Iterator[bytes]) -> None:
        self.headers, self.content = headers, content

    @property
    def media_type(self) -> MediaType:
        """Of its content; RFC 2045's default where it has none."""
        return media_type(self.headers.get("content-type", "text/plain"))


class Parts:
    """The parts of a body, as its bytes arrive.

    Args:
        chunks: The body.
        boundary: Between the parts.
    """

    def __init__(self, chunks: Iterator[bytes], boundary: bytes) -> None:
        self._chunks = chunks
        self._buffer = bytearray(b"\r\n")  # so that the first delimiter is like the others
        self._delimiter = b"\r\n--" + boundary

    def __iter__(self) -> Iterator[Part]:
        """The parts.

        Raises:
            Malformed: When the body ends early, has no part, or has headers that are none or too long.
        """
        self._skip_prologue()
        count = 0
        while self._another():
            count += 1
            if count > MOST_PARTS:
                raise Malformed(f"the body has more than {MOST_PARTS} parts")
            part = Part(self._headers(), self._content())
            yield part
            for _ in part.content:
                pass
        if not count:
            raise Malformed("the body has no part")

    def _more(self) -> None:
        chunk = next(self._chunks, None)
        if chunk is None:
            raise Malformed("the body ends before its last boundary", todo="Send it again; what was complete is kept")
        self._buffer += chunk

    def _skip_prologue(self) -> None:
        while (at := self._buffer.find(self._delimiter)) < 0:
            if len(self._buffer) > LONGEST_PROLOGUE or not self._may_begin():
                raise Malformed("the body does not begin with the boundary of its Content-Type")
            self._more()
        del self._buffer[: at + len(self._delimiter)]

    def _may_begin(self) -> bool:
        """Whether a boundary may follow: a first line of dashes must be it, anything else may be a remark."""
        start = bytes(self._buffer[: len(self._delimiter)])
        return not start.startswith(b"\r\n--") or self._delimiter.startswith(start)

    def _another(self) -> bool:
        """Whether what follows a delimiter is a part: not `--`, which is the end."""
        while True:
            line, found, _ = bytes(self._buffer[:LONGEST_HEADERS]).partition(b"\r\n")
            if line.startswith(b"--"):
                return False
            if found:
                break
            if len(line) > LONGEST_PROLOGUE:
                raise Malformed("a boundary is followed by something else")
            self._more()
        if line.strip(b" \t"):
            raise Malformed("a boundary is followed by something else")
        del self._buffer[: len(line)]  # the line break stays: a part may have no headers
        return True

    def _headers(self) -> dict[str, str]:
        while (end := self._buffer.find(b"\r\n\r\n", 0, LONGEST_HEADERS)) < 0:
            if len(self._buffer) > LONGEST_HEADERS:
                raise Malformed(f"the headers of a part have more than {LONGEST_HEADERS >> 10} KiB")
            self._more()
        lines = bytes(self._buffer[:end]).decode("latin-1").split("\r\n")
        del self._buffer[: end + 4]
        headers = {}
        for line in filter(None, lines):
            name, colon, value = line.partition(":")
            if not colon:
                raise Malformed("a header of a part has no colon")
            headers[name.strip().lower()] = value.strip()
        return headers

    def _content(self) -> Iterator[bytes]:
        keep = len(self._delimiter) - 1
        while (at := self._buffer.find(self._delimiter)) < 0:
            if len(self._buffer) > keep:
                chunk = bytes(self._buffer[:-keep])
                del self._buffer[:-keep]
                yield chunk
            self._more()
        last = bytes(self._buffer[:at])
        del self._buffer[: at + len(self._delimiter)]
        if last:
            yield last


def written(parts: Iterable[tuple[str, Iterable[bytes]]], boundary: str) -> Iterator[bytes]:
    """A multipart body.

    Args:
        parts: Content type and content of each.
        boundary: Of our own making.
    """
    for kind, content in parts:
        yield f"--{boundary}\r\nContent-Type: {kind}\r\n\r\n".encode("ascii")
        yield from content
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode("ascii")


def new_boundary() -> str:
    """One that no content holds by chance."""
    return f"part-{secrets.token_hex(16)}"
