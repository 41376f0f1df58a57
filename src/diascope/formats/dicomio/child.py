"""The decoder child: `python -P -m diascope.formats.dicomio.child FD`. Parses and decodes foreign files, one by one.

It answers each path of a request with one message, so that the parent can put a time limit on each file. Everything
that goes wrong with a file, a Rust panic included (a `BaseException`), becomes a message; what kills the process is
noticed by the parent.
"""

from __future__ import annotations

import ctypes
import gc
import mmap
import os
import signal
import socket
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydicom.config

from diascope.formats.dicomio import facts, indexing, pixels, serving, structures, transcoding, waveforms, wire
from diascope.formats.dicomio.parsing import BrokenFileError, Parsed

KEPT_FILES = 4096
"""Headers that are kept from a `headers` request for the `pixels` request that follows it."""


class Child:
    """Serves requests until the connection closes.

    Args:
        connection: To the parent.
        faults: Whether files with certain names break this process on purpose (tests of the parent).
    """

    def __init__(self, connection: socket.socket, faults: bool) -> None:
        self.connection, self.faults = connection, faults
        self.kept: dict[str, Parsed] = {}

    def serve(self) -> None:
        """Answer requests until the parent hangs up."""
        while True:
            try:
                request, descriptor = wire.receive(self.connection)
            except wire.HangupError:
                return
            verb: Callable[[dict[str, Any], int | None], None] = getattr(self, f"do_{request['do']}")
            try:
                verb(request, descriptor)
            finally:
                if descriptor is not None:
                    os.close(descriptor)

    def answer(self, work: Callable[[], dict[str, Any]]) -> None:
        """Send what `work` gives, or why it failed."""
        try:
            reply: dict[str, Any] = {"ok": work()}
        except (BrokenFileError, MemoryError) as error:
            reply = {"error": str(error) or "it needs more memory than a decoder may have"}
        except BaseException as error:
            reply = {"error": f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no reason'}"}
        try:
            wire.send(self.connection, reply)
        except OSError:
            sys.exit(0)

    def do_headers(self, request: dict[str, Any], _: int | None) -> None:
        """The facts of each file."""
        self.kept.clear()
        for path in request["paths"]:
            self.answer(lambda path=path: facts.of(self._parse(path, request["keep"])))  # type: ignore[misc]

    def do_index(self, request: dict[str, Any], _: int | None) -> None:
        """What an archive must know of each file."""
        for path in request["paths"]:
            self.answer(lambda path=path: self._strange(path, indexing.index))  # type: ignore[misc]

    def do_check(self, request: dict[str, Any], _: int | None) -> None:
        """Whether the pixels of each file can be decoded."""
        for path in request["paths"]:
            self.answer(lambda path=path: self._strange(path, indexing.check))  # type: ignore[misc]

    def do_metadata(self, request: dict[str, Any], _: int | None) -> None:
        """The whole header of each file as DICOM JSON."""
        for path in request["paths"]:
            self.answer(lambda path=path: self._strange(path, serving.metadata))  # type: ignore[misc]

    def do_write(self, request: dict[str, Any], descriptor: int | None) -> None:
        """Write something of one file into the file of the parent."""
        if descriptor is None:
            raise wire.HangupError("a write request without a file")
        self.answer(lambda: self._strange(request["path"], lambda parsed: serving.write(parsed, request, descriptor)))

    def do_json(self, request: dict[str, Any], _: int | None) -> None:
        """The header of each file as DICOM JSON, without private and bulk elements."""
        for path in request["paths"]:
            self.answer(lambda path=path: facts.as_json(self._parse(path, False)))  # type: ignore[misc]

    def do_transcode(self, request: dict[str, Any], _: int | None) -> None:
        """Write a file anew in a plain transfer syntax."""
        (path,) = request["paths"]
        self.answer(lambda: self._transcoded(path, request["target"], request["syntax"]))

    def do_contours(self, request: dict[str, Any], _: int | None) -> None:
        """The closed contours of each RT Structure Set."""
        for path in request["paths"]:
            self.answer(lambda path=path: structures.contours(self._parse(path, False).dataset))  # type: ignore[misc]

    def do_waveforms(self, request: dict[str, Any], _: int | None) -> None:
        """What each group of sampled curves of each file holds."""
        for path in request["paths"]:
            self.answer(lambda path=path: waveforms.facts(self._parse(path, False).dataset))  # type: ignore[misc]

    def do_samples(self, request: dict[str, Any], descriptor: int | None) -> None:
        """Decode one group of sampled curves into the shared memory."""
        if descriptor is None:
            raise wire.HangupError("a samples request without memory")
        with mmap.mmap(descriptor, request["bytes"]) as memory:
            self.answer(lambda: self._samples(request, memory))

    def do_pixels(self, request: dict[str, Any], descriptor: int | None) -> None:
        """Decode each file into its place of the shared memory."""
        if descriptor is None:
            raise wire.HangupError("a pixels request without memory")
        with mmap.mmap(descriptor, request["bytes"]) as memory:
            for job in request["jobs"]:
                self.answer(lambda job=job: self._decode(job, memory, request))  # type: ignore[misc]

    def _samples(self, request: dict[str, Any], memory: mmap.mmap) -> dict[str, Any]:
        out = pixels.as_array(memory, request["shape"], "<f4")
        waveforms.decode(self._parse(request["path"], False).dataset, request["group"], out)
        return {}

    def _strange(self, path: str, read: Callable[[Parsed], dict[str, Any]]) -> dict[str, Any]:
        """Read a file that came over the network. Why it fails is said without any text of it: reasons are logged."""
        if self.faults:
            _break(Path(path).stem)
        try:
            return read(Parsed(Path(path), bounded=True))
        except (BrokenFileError, MemoryError):
            raise
        except BaseException as error:
            raise BrokenFileError(f"it cannot be parsed ({type(error).__name__})") from error

    def _transcoded(self, path: str, target: str, syntax: str) -> dict[str, Any]:
        transcoding.transcode(Parsed(Path(path), bounded=True), Path(target), syntax)
        return {}

    def _parse(self, path: str, keep: bool) -> Parsed:
        if self.faults:
            _break(Path(path).stem)
        parsed = Parsed(Path(path))
        if keep and len(self.kept) < KEPT_FILES:
            self.kept[path] = parsed
        return parsed

    def _decode(self, job: dict[str, Any], memory: mmap.mmap, request: dict[str, Any]) -> dict[str, Any]:
        parsed = self.kept.pop(job["path"], None) or Parsed(Path(job["path"]))
        if parsed.size != os.stat(job["path"]).st_size:
            raise BrokenFileError("the file changed while it was read")
        pixels.decode(parsed, job, pixels.as_array(memory, request["shape"], request["dtype"]))
        return {}


def _break(kind: str) -> None:
    """Do what a file named `segfault`, `spin`, `panic` or `memory` asks for (RELIABILITY B4)."""
    if kind == "segfault":
        ctypes.string_at(0)
    elif kind == "spin":
        time.sleep(3600)
    elif kind == "panic":  # what a Rust extension raises is not an `Exception`
        raise BaseException("panicked at 'index out of bounds'")
    elif kind == "memory":
        bytearray(64 << 30)


def main() -> None:
    """Serve on the socket whose descriptor is the first argument."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which may want to finish its step
    warnings.simplefilter("ignore")  # odd files warn; what matters is refused or recorded
    gc.freeze()
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    with socket.socket(fileno=int(sys.argv[1])) as connection:
        wire.send(connection, {"ok": {"ready": True}})
        Child(connection, faults="--faults" in sys.argv).serve()


if __name__ == "__main__":
    main()
