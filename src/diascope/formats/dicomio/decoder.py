"""The decoder: foreign DICOM is parsed and decoded in child processes that may crash, hang or eat memory.

A child is a persistent `python -m diascope.formats.dicomio.child` at the other end of a Unix socket. Pixels come back
through memory that both share (a memfd, or an unlinked temporary file), so nothing is copied and nothing is pickled.
If a child dies, is silent for too long, or sends nonsense, only the file it was working on fails; the child is killed
and the next request gets a fresh one.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from diascope.core.errors import DiascopeError, UnreadableFile
from diascope.formats.dicomio import wire
from diascope.formats.dicomio.sharing import mapped, shared_memory
from diascope.formats.dicomio.spawning import Process, started

SECONDS = 30.0
"""Time limit for one file; a file gets one second more for each MB that it has."""

MEMORY = 4 << 30
"""Address space that a child may have, besides the memory it shares with its parent (Linux; RELIABILITY B4)."""


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Job:
    """Which frames of one file go where.

    Args:
        path: The file.
        frames: Frames, from 0.
        at: Slice of the result for each frame.
        slopes: Rescale slope of each frame.
        intercepts: Rescale intercept of each frame.
        inverted: Whether the stored values are turned (MONOCHROME1).
    """

    path: Path
    frames: tuple[int, ...]
    at: tuple[int, ...]
    slopes: tuple[float, ...]
    intercepts: tuple[float, ...]
    inverted: bool = False

    def to_json(self) -> dict[str, Any]:
        """For the wire."""
        return {**self.__dict__, "path": os.fspath(self.path)}


class Decoder:
    """A small pool of children; threads may share it.

    Args:
        size: Children at most. Default: the processor cores, at most 2.
        seconds: Time limit for one file.
        memory: Bytes of address space for each child.
        arguments: Further arguments of the child (`--faults` in tests).
        spare: Children that are kept ready; one that died is replaced at once, so that nobody waits for its start.
    """

    def __init__(
        self,
        size: int | None = None,
        seconds: float = SECONDS,
        memory: int = MEMORY,
        arguments: Sequence[str] = (),
        spare: int = 0,
    ) -> None:
        self.size, self.spare = size or min(os.cpu_count() or 1, 2), spare
        self.seconds, self.memory, self.arguments = seconds, memory, tuple(arguments)
        self._idle: list[Process] = []
        self.forget()

    def forget(self) -> None:
        """Leave the children to the process that started them (after a fork)."""
        for child in self._idle:
            child.connection.close()
            child.process.returncode = 0  # not ours to wait for
        self._idle = []
        self._busy = self._starting = 0
        self._closed = False
        self._lock = threading.Lock()
        self._started = threading.Condition(self._lock)
        self._places = threading.BoundedSemaphore(self.size)

    def refill(self) -> None:
        """Start children until as many as are kept ready are there.

        Raises:
            DiascopeError: When one does not start.
        """
        while True:
            with self._lock:
                if self._closed or len(self._idle) + self._starting + self._busy >= self.spare:
                    return
                self._starting += 1
            child = None
            try:
                child = started(self.memory, self.arguments)
            finally:
                with self._lock:
                    self._starting -= 1
                    kept = child is not None and not self._closed
                    if child is not None and kept:
                        self._idle.append(child)
                    self._started.notify_all()
            if not kept:
                child.kill()
                return

    def _refill_soon(self) -> None:
        """In another thread; a start that fails is said by the next request, which tries again."""

        def start() -> None:
            with contextlib.suppress(DiascopeError):
                self.refill()

        if self.spare:
            threading.Thread(target=start, name="decoder-start", daemon=True).start()

    def close(self) -> None:
        """End all idle children."""
        with self._lock:
            self._closed = bool(self.spare)
            children, self._idle = self._idle, []
        for child in children:
            child.kill()

    def headers(self, paths: Sequence[Path], keep: bool = False) -> Iterator[tuple[Path, dict[str, Any] | str]]:
        """The facts of each file (`facts.of`), or the reason why there are none.

        Args:
            paths: Files.
            keep: Whether `pixels` of the same files will follow.
        """
        yield from self._each({"do": "headers", "keep": keep}, paths)

    def index(self, path: Path, meanwhile: Callable[[], None] = _nothing) -> dict[str, Any]:
        """What an archive must know of an object (`indexing.index`).

        Args:
            path: The file.
            meanwhile: Done here while the child reads; what it raises is raised.

        Raises:
            UnreadableFile: With the reason, in which there is no text of the file.
        """
        (reply,) = self._whole("index", [path], meanwhile)
        return reply

    def check(self, path: Path) -> int:
        """Decode every frame into nothing.

        Returns:
            How many there are; 0 for an object without pixels.

        Raises:
            UnreadableFile: When they can't be decoded, with the reason.
        """
        (reply,) = self._whole("check", [path])
        return int(reply["frames"])

    def metadata(self, paths: Sequence[Path]) -> list[dict[str, Any]]:
        """The whole header of each file as DICOM JSON (`serving.metadata`).

        Raises:
            UnreadableFile: For the first file that has none.
        """
        return self._whole("metadata", paths)

    def write(self, path: Path, what: str, out: BinaryIO, **request: Any) -> dict[str, Any]:
        """Write something of one file that may be long (`serving.WRITERS`).

        Args:
            path: The file.
            what: Name of a writer.
            out: A file of the operating system; it is at its start afterwards.
            **request: What the writer must know.

        Returns:
            What the writer says.

        Raises:
            UnreadableFile: With the reason.
        """
        message = {**request, "do": "write", "what": what, "path": os.fspath(path)}
        with self._child() as child:
            try:
                wire.send(child.connection, message, out.fileno())
                reply = child.reply(self._limit(path))
            except (wire.HangupError, OSError) as error:
                raise UnreadableFile(path, str(error)) from error
        out.seek(0)
        return _ok(reply, path)

    def json(self, paths: Sequence[Path]) -> list[dict[str, Any]]:
        """The header of each file as DICOM JSON, without private elements and bulk data.

        Raises:
            UnreadableFile: For the first file that has none.
        """
        return self._whole("json", paths)

    def transcode(self, path: Path, target: Path, syntax: str) -> None:
        """Write an object anew in a plain transfer syntax (`transcoding.transcode`).

        Raises:
            UnreadableFile: When it can't be, with the reason.
        """
        for _, reply in self._each({"do": "transcode", "target": os.fspath(target), "syntax": syntax}, [path]):
            if isinstance(reply, str):
                raise UnreadableFile(path, reply)

    def contours(self, path: Path) -> dict[int, list[npt.NDArray[np.float64]]]:
        """The closed contours of an RT Structure Set: ROI number to arrays (N, 3) of points (x, y, z) in mm.

        Raises:
            UnreadableFile: When it has none, with the reason.
        """
        (reply,) = self._whole("contours", [path])
        return {
            int(roi["number"]): [np.array(points, dtype=np.float64).reshape(-1, 3) for points in roi["contours"]]
            for roi in reply["rois"]
        }

    def waveforms(self, path: Path) -> list[dict[str, Any]]:
        """What each group of sampled curves in a file holds (`waveforms.facts`).

        Raises:
            UnreadableFile: When it has none, with the reason.
        """
        (reply,) = self._whole("waveforms", [path])
        return list(reply["groups"])

    def samples(self, path: Path, group: int, shape: tuple[int, int]) -> npt.NDArray[np.float32]:
        """One group of sampled curves, (samples, channels) in their own units.

        Raises:
            UnreadableFile: When it can't be decoded, with the reason.
        """
        length = shape[0] * shape[1] * 4
        request = {"do": "samples", "path": os.fspath(path), "group": group, "shape": list(shape), "bytes": length}
        with shared_memory(length) as descriptor:
            with self._child() as child:
                child.limit_memory(length)
                try:
                    wire.send(child.connection, request, descriptor)
                    _ok(child.reply(self._limit(path)), path)
                except (wire.HangupError, OSError) as error:
                    raise UnreadableFile(path, str(error)) from error
            memory = mapped(descriptor, length)
        return np.frombuffer(memory, dtype="<f4").reshape(shape)

    def _whole(
        self, verb: str, paths: Sequence[Path], meanwhile: Callable[[], None] = _nothing
    ) -> list[dict[str, Any]]:
        """What a verb answers for each path.

        Raises:
            UnreadableFile: For the first file that fails.
        """
        replies = []
        for path, reply in self._each({"do": verb}, paths, meanwhile):
            if isinstance(reply, str):
                raise UnreadableFile(path, reply)
            replies.append(reply)
        return replies

    def pixels(self, jobs: Sequence[Job], shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """Decode into a new array.

        Args:
            jobs: What to decode.
            shape: (slices, rows, columns) or (slices, rows, columns, 3).
            dtype: Of the result; holds every rescaled value.

        Raises:
            UnreadableFile: For the first file that fails, with the reason.
        """
        length = int(np.prod(shape)) * np.dtype(dtype).itemsize
        request = {"do": "pixels", "shape": list(shape), "dtype": np.dtype(dtype).str, "bytes": length}
        with shared_memory(length) as descriptor:
            parts = [jobs[start :: self.size] for start in range(self.size)] if _worth_sharing(jobs, length) else [jobs]
            with ThreadPoolExecutor(len(parts)) as threads:
                list(threads.map(lambda part: self._decode(part, request, descriptor, length), parts))
            memory = mapped(descriptor, length)
        return np.frombuffer(memory, dtype=dtype).reshape(shape)

    def _each(
        self, message: dict[str, Any], paths: Sequence[Path], meanwhile: Callable[[], None] = _nothing
    ) -> Iterator[tuple[Path, dict[str, Any] | str]]:
        """Ask about each path; a child that fails is replaced and goes on with the path after."""
        rest = list(paths)
        while rest:
            done: list[tuple[Path, dict[str, Any] | str]] = []
            with self._child() as child:
                try:
                    wire.send(child.connection, {**message, "paths": [os.fspath(path) for path in rest]})
                    meanwhile()
                    for path in rest:
                        reply = child.reply(self._limit(path))
                        done.append((path, reply["ok"] if "ok" in reply else str(reply.get("error"))))
                except (wire.HangupError, OSError) as error:
                    child.kill()
                    done.append((rest[len(done)], str(error)))
            yield from done
            rest = rest[len(done) :]

    def _decode(self, jobs: Sequence[Job], request: dict[str, Any], descriptor: int, length: int) -> None:
        if not jobs:
            return
        with self._child() as child:
            child.limit_memory(length)
            at = jobs[0].path
            try:
                wire.send(child.connection, {**request, "jobs": [job.to_json() for job in jobs]}, descriptor)
                for job in jobs:
                    at = job.path
                    reply = child.reply(self._limit(at))
                    if "ok" not in reply:
                        child.kill()  # it would go on with the other files of this request
                    _ok(reply, at)
            except (wire.HangupError, OSError) as error:
                raise UnreadableFile(at, str(error)) from error

    def _limit(self, path: Path) -> float:
        return self.seconds + (path.stat().st_size / 1e6 if path.exists() else 0.0)

    @contextlib.contextmanager
    def _child(self) -> Iterator[Process]:
        """Borrow a child; it comes back only if it still lives and has answered everything."""
        with self._places:
            with self._lock:
                self._started.wait_for(lambda: self._idle or not self._starting)
                child = self._idle.pop() if self._idle else None
                self._busy += 1
            try:
                if child is None or child.process.poll() is not None:
                    child = started(self.memory, self.arguments)
                try:
                    yield child
                except BaseException:
                    child.kill()
                    raise
            finally:
                with self._lock:
                    self._busy -= 1
                    alive = child is not None and child.process.poll() is None
                    if child is not None and alive:
                        self._idle.append(child)
            if not alive:
                self._refill_soon()


@cache
def decoder() -> Decoder:
    """The decoder of this process; its children are closed at exit."""
    shared = Decoder()
    atexit.register(shared.close)
    os.register_at_fork(after_in_child=shared.forget)
    return shared


def _ok(reply: dict[str, Any], path: Path) -> dict[str, Any]:
    if "ok" not in reply:
        raise UnreadableFile(path, str(reply.get("error")))
    return dict(reply["ok"])


def _worth_sharing(jobs: Sequence[Job], length: int) -> bool:
    """Whether decoding is long enough to use more than one child: the files are compressed, and many."""
    return len(jobs) >= 16 and sum(job.path.stat().st_size for job in jobs) < 0.9 * length
