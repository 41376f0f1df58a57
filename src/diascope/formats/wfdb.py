"""WFDB records (PhysioNet): a header `.hea` and the files of samples that it names, which lie beside it.

Read here and not with the package `wfdb`, which brings matplotlib and a web client. Annotations are not read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Part:
    """What one header is read as.

    Args:
        values: (T, C).
        frame: Samples of each channel in a frame.
        channels: Names.
        units: As UCUM writes them.
        notes: What is worth telling.
    """

    values: npt.NDArray[np.float32]
    frame: int
    channels: tuple[str, ...]
    units: tuple[str, ...]
    notes: tuple[str, ...] = ()


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
            part = _joined(headers[0], header) if header.segments else _read(headers[0], header)
            notes = tuple(dict.fromkeys(part.notes))
            return Signal(part.values, header.rate * part.frame, part.channels, part.units, history=notes)

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
    """An ordinary record, whose channels may lie in several files."""
    names = _names([one.name for one in header.channels])
    found: dict[int, npt.NDArray[np.float32]] = {}
    notes: list[str] = []
    for file in dict.fromkeys(one.file for one in header.channels if one.file != GAP):
        numbers = [number for number, one in enumerate(header.channels) if one.file == file]
        channels = [header.channels[number] for number in numbers]
        steps, more = samples_of(path.with_name(file), channels, header.length)
        notes += more
        for number, one, step in zip(numbers, channels, steps, strict=True):
            found[number] = _unskewed(physical(one, step), one.skew * one.frame)
    if len(found) < len(header.channels):
        # The layout of a record in segments names channels and holds no samples.
        raise UnreadableFile(path, "it names no file of samples", "Give the record's own header")
    frames = [one.frame for one in header.channels]
    length = min(len(found[number]) // frames[number] for number in found)
    cut = [found[number][: length * frames[number]] for number in range(len(frames))]
    values, most = held(cut, frames)
    if len(set(frames)) > 1:
        slow = ", ".join(name for name, frame in zip(names, frames, strict=True) if frame < most)
        notes.append(f"channels of a lower rate were brought to {header.rate * most:g} Hz: {slow}")
    return Part(values, most, names, tuple(ucum(one.unit) for one in header.channels), tuple(notes))


def _joined(path: Path, header: Header) -> Part:
    """Segments one after the other; a channel that one lacks, and a segment `~`, are nan there."""
    ends = np.cumsum([0, *(length for _, length in header.segments)])
    parts = {
        int(start): _segment(path.with_name(f"{name}.hea"), header, length)
        for (name, length), start in zip(header.segments, ends[:-1], strict=True)
        if name != GAP and length
    }
    if not parts:
        raise UnreadableFile(path, "nothing was recorded in any of its segments")
    frame = max(part.frame for part in parts.values())
    if any(part.frame != frame for part in parts.values()):
        raise UnreadableFile(path, "its segments have different numbers of samples in a frame")
    units = _units(path, parts.values())
    channels = tuple(units)
    values = np.full((int(ends[-1]) * frame, len(channels)), np.nan, dtype=np.float32)
    for start, part in parts.items():
        columns = [channels.index(name) for name in part.channels]
        values[start * frame : start * frame + len(part.values), columns] = part.values
    notes = tuple(note for part in parts.values() for note in part.notes)
    return Part(values, frame, channels, tuple(units.values()), notes)


def _segment(path: Path, record: Header, length: int) -> Part:
    said = read_header(path)
    if said.segments:
        raise UnreadableFile(path, "a segment must not have segments of its own")
    if said.rate != record.rate:
        raise UnreadableFile(path, f"a segment of {said.rate:g} Hz in a record of {record.rate:g} Hz")
    part = _read(path, said)
    if len(part.values) != length * part.frame:
        raise UnreadableFile(path, f"it holds {len(part.values) // part.frame} samples, its record says {length}")
    return part


def _units(path: Path, parts: Iterable[Part]) -> dict[str, str]:
    """Channel to unit, over all segments."""
    units: dict[str, str] = {}
    for part in parts:
        for name, unit in zip(part.channels, part.units, strict=True):
            if units.setdefault(name, unit) != unit:
                raise UnreadableFile(path, f"{name} is in {unit} in one segment and in {units[name]} in another")
    return units


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
