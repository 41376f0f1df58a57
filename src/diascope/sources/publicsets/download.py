"""One file over HTTP: gone on with where it was cut, tried again where the line is bad."""

from __future__ import annotations

import errno
import http.client
import os
import re
import shutil
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from diascope.core.errors import DataRefused, DiascopeError
from diascope.engine.progress import Tell

WAITS = (1.0, 2.0, 4.0, 8.0)
"""Seconds before each further try; counted anew whenever something arrived."""
TIMEOUT = 30.0
"""Seconds without a byte after which a connection counts as lost."""
BLOCK = 1 << 16
MOST = 64 * 10**9
"""Bytes: a server that sends more than any published set holds is stopped."""
MB = 10**6
PASSING = {408, 425, 429, 500, 502, 503, 504}
"""Answers of a server that may be another one a moment later (RFC 9110, section 15)."""
LOST = (urllib.error.URLError, ConnectionError, TimeoutError, http.client.HTTPException, ssl.SSLError)
FULL = {errno.ENOSPC, errno.EDQUOT}


def download(url: str, path: Path, tell: Tell, room: int = 1) -> None:
    """Fetch a file, or the rest of it where a part of it is there already.

    Args:
        url: http or https.
        path: Where the bytes go; they stay there when the line breaks, and the next call goes on from them.
        tell: Told about progress and further tries.
        room: How many times the size of the file must be free on the disk (2 where it is unpacked afterwards).

    Raises:
        DiascopeError: When the disk has no room for it.
        OSError: One of `LOST`: the last of several tries.
    """
    failures = 0
    while True:
        before = _length(path)
        try:
            return _fetch(url, path, tell, room)
        except LOST as error:
            if isinstance(error, urllib.error.HTTPError):
                error.close()
            failures = 1 if _length(path) > before else failures + 1
            if _lasting(error, before) or failures > len(WAITS):
                raise
            wait = WAITS[failures - 1]
            tell({"event": "warning", "message": f"{url}: {reason(error)}; trying again in {wait:g} s"})
            time.sleep(wait)


def reason(error: BaseException) -> str:
    """Why a file did not arrive, in few words."""
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answered {error.code} {error.reason}"
    return str(getattr(error, "reason", error)) or type(error).__name__


def require_room(folder: Path, wanted: int) -> None:
    """See that a disk can take so many bytes.

    Raises:
        DiascopeError: When it cannot.
    """
    free = shutil.disk_usage(folder).free
    if wanted > free:
        raise no_room(folder, f"{wanted / 1e6:,.0f} MB are needed and {free / 1e6:,.0f} MB are free")


def no_room(folder: Path, numbers: str) -> DiascopeError:
    """The error of a full disk."""
    return DiascopeError(
        f"the disk of {folder} is full", given=numbers, todo="Free disk space, or name another folder in DIASCOPE_CACHE"
    )


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _lasting(error: BaseException, before: int) -> bool:
    """Whether trying again is of no use; without a name server and without a first byte this machine is offline."""
    if isinstance(error, urllib.error.HTTPError):
        return error.code not in PASSING
    cause = getattr(error, "reason", error)
    return isinstance(cause, ssl.SSLCertVerificationError) or (isinstance(cause, socket.gaierror) and before == 0)


def _fetch(url: str, path: Path, tell: Tell, room: int) -> None:
    have = _length(path)
    headers = {"User-Agent": "diascope", "Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})}
    try:
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != 416:
            raise
        error.close()
        if error.headers.get("Content-Range") == f"bytes */{have}":
            return  # everything was there (RFC 9110, 15.5.17)
        path.unlink()
        raise ConnectionError("the server has a smaller file than what arrived before: starting anew") from None
    with response:
        start, total = _extent(response, have)
        if total is not None:
            require_room(path.parent, room * total - start)
        with path.open("ab" if start else "wb") as stream:
            arrived = start + _receive(response, stream.write, _meter(path, start, total, tell))
            stream.flush()
            os.fsync(stream.fileno())
    if total is not None and arrived < total:
        raise ConnectionError(f"the connection was cut after {arrived} of {total} bytes")


def _extent(response: http.client.HTTPResponse, have: int) -> tuple[int, int | None]:
    """Where the bytes of an answer belong, and the size of the whole file; a server may ignore the wish for a rest."""
    if response.status != 206:
        length = response.headers.get("Content-Length")
        return 0, int(length) if length else None
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    if not found or int(found[1]) != have:
        raise ConnectionError("the server sent another part of the file than it was asked for")
    return have, None if found[2] == "*" else int(found[2])


def _receive(response: http.client.HTTPResponse, write: Callable[[bytes], int], meter: Callable[[int], None]) -> int:
    got = 0
    while block := response.read(BLOCK):
        got += write(block)
        if got > MOST:
            raise DataRefused(f"{response.url} sends more than any published set holds", given=f"{got} bytes")
        meter(got)
    return got


def _meter(path: Path, start: int, total: int | None, tell: Tell) -> Callable[[int], None]:
    """Tells each megabyte of what is still to come, so that the remaining time is right after a resume."""
    if total is None:
        return lambda _: None
    rest, told = max(1, -(-(total - start) // MB)), [-1]

    def meter(got: int) -> None:
        done = rest if start + got >= total else min(got // MB, rest - 1)
        if done > told[0]:
            told[0] = done
            name = path.name.removesuffix(".part")
            tell({"event": "progress", "what": f"fetching {name}, MB", "done": done, "total": rest})

    return meter
