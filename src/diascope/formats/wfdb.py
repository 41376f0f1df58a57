"""WFDB records (PhysioNet): a header `.hea` and the files of samples that it names, which lie beside it.

Read here and not with the package `wfdb`, which brings matplotlib and a web client. Annotations are not read.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from diascope.core.errors import BadUsage, UnreadableFile
from diascope.core.signal import Signal
from diascope.formats.files.reading import ends_with, foreign
from diascope.formats.waveforms.units import ucum
from diascope.formats.waveforms.wfdb_header import Header, read_header
from diascope.formats.waveforms.wfdb_samples import held, physical, samples_of

GAP = "~"
"""Name of a segment that nothing was recorded in."""

Part = tuple[npt.NDArray[np.float32], int, tuple[str, ...], tuple[str, ...], list[str]]
"""Samples (T, C), how many are in a frame, names, units, notes."""


class Wfdb:
    """Ordinary records, and records in several segments; storage formats 8 to 32, 61, 80, 160, 212, 310, 311."""

    kind = "signal"
    suffixes: tuple[str, ...] = (".hea",)
    writes: bool = False

    def is_available(self) -> bool:
        return True

    def recognises(self, path: Path) -> bool:
        return ends_with(path, self.suffixes)

    def read(self, paths: Sequence[Path], item: str | None = None) -> Signal:
        headers = [Path(path) for path in paths if ends_with(Path(path), self.suffixes)]
        if len(headers) != 1:
            raise UnreadableFile(
                ", ".join(map(str, paths[:3])) or "no files", f"{len(headers)} headers are no record", "Give one .hea"
            )
        with foreign(headers[0]):
            if item is not None:
                raise UnreadableFile(headers[0], f"a record is read whole, not its {item!r}")
            header = read_header(headers[0])
            values, frame, channels, units, notes = _read(headers[0], header)
            return Signal(values, header.rate * frame, channels, units, history=tuple(dict.fromkeys(notes)))

    def extent(self, paths: Sequence[Path], item: str | None = None) -> None:
        return None

    def write(self, image: Any, path: Path, like: Sequence[Path] = ()) -> None:
        raise BadUsage("WFDB records are only read", given=path)


def files_of(header: Path) -> tuple[Path, ...]:
    """The header and every file that its record is read from.

    Raises:
        UnreadableFile: When a header is none.
    """
    found, said = [header], read_header(header)
    for name, _ in said.segments:
        if name != GAP:
            found += files_of(header.with_name(f"{name}.hea"))
    found += [header.with_name(one.file) for one in said.channels if one.file != GAP]
    return tuple(dict.fromkeys(found))


def _read(path: Path, header: Header) -> Part:
    if header.segments:
        return _joined(path, header)
    names = _names([one.name for one in header.channels])
    found: dict[int, npt.NDArray[np.float32]] = {}
    notes: list[str] = []
    for file in dict.fromkeys(one.file for one in header.channels):
        if file == GAP:
            continue  # the layout of a record in segments names channels and holds no samples
        numbers = [number for number, one in enumerate(header.channels) if one.file == file]
        channels = [header.channels[number] for number in numbers]
        steps, more = samples_of(path.with_name(file), channels, header.length)
        notes += more
        for number, one, values in zip(numbers, channels, steps, strict=True):
            found[number] = _unskewed(physical(one, values), one.skew * one.frame)
    if len(found) < len(header.channels):
        raise UnreadableFile(path, "it names no file of samples", "Give the record's own header")
    frames = [one.frame for one in header.channels]
    length = min(len(found[number]) // frames[number] for number in found)
    cut = [found[number][: length * frames[number]] for number in range(len(frames))]
    values, most = held(cut, frames)
    if len(set(frames)) > 1:
        slow = ", ".join(name for name, frame in zip(names, frames, strict=True) if frame < most)
        notes.append(f"channels of a lower rate were brought to {header.rate * most:g} Hz: {slow}")
    return values, most, names, tuple(ucum(one.unit) for one in header.channels), notes


def _joined(path: Path, header: Header) -> Part:
    """Segments one after the other; a channel that one lacks, and a segment `~`, are nan there."""
    total = sum(length for _, length in header.segments)
    parts: list[tuple[int, Part]] = []
    place = 0
    for name, length in header.segments:
        if name != GAP and length:
            inner = path.with_name(f"{name}.hea")
            said = read_header(inner)
            if said.segments:
                raise UnreadableFile(inner, "a segment must not have segments of its own")
            if said.rate != header.rate:
                raise UnreadableFile(inner, f"a segment of {said.rate:g} Hz in a record of {header.rate:g} Hz")
            part = _read(inner, said)
            if len(part[0]) != length * part[1]:
                raise UnreadableFile(inner, f"it holds {len(part[0]) // part[1]} samples, its record says {length}")
            parts.append((place, part))
        place += length
    if not parts:
        raise UnreadableFile(path, "nothing was recorded in any of its segments")
    frame = parts[0][1][1]
    units: dict[str, str] = {}
    for _, (_, most, names, own, _) in parts:
        if most != frame:
            raise UnreadableFile(path, "its segments have different numbers of samples in a frame")
        for name, unit in zip(names, own, strict=True):
            if units.setdefault(name, unit) != unit:
                raise UnreadableFile(path, f"{name} is in {unit} in one segment and in {units[name]} in another")
    channels = tuple(units)
    values = np.full((total * frame, len(channels)), np.nan, dtype=np.float32)
    for start, (some, _, names, _, _) in parts:
        columns = [channels.index(name) for name in names]
        values[start * frame : start * frame + len(some), columns] = some
    notes = [note for _, part in parts for note in part[4]]
    return values, frame, channels, tuple(units.values()), notes


def _unskewed(values: npt.NDArray[np.float32], skew: int) -> npt.NDArray[np.float32]:
    """Samples that lie so many places later in the file than they were taken."""
    if not skew:
        return values
    moved = np.full_like(values, np.nan)
    moved[: len(values) - skew] = values[skew:]
    return moved


def _names(given: Sequence[str]) -> tuple[str, ...]:
    """Names of channels; one that comes twice, or not at all, gets a number."""
    found: list[str] = []
    for number, name in enumerate(given, 1):
        plain = name or f"channel {number}"
        found.append(plain if plain not in found else f"{plain} ({number})")
    return tuple(found)


FORMAT = Wfdb()
