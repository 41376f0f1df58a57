"""The header of a WFDB record (`.hea`), as PhysioNet's header(5) describes it (WFDB Applications Guide, 10.7)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from diascope.core.errors import UnreadableFile

RATE, GAIN, UNIT = 250.0, 200.0, "mV"
"""What holds where a header leaves them out."""

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_RECORD = re.compile(
    rf"(?P<name>[^\s/]+)(?:/(?P<segments>\d+))?\s+(?P<signals>\d+)(?:\s+(?P<rate>{_NUMBER})\S*)?"
    r"(?:\s+(?P<length>\d+))?(?:\s+.*)?"
)
_FORMAT = re.compile(r"(?P<format>\d+)(?:x(?P<frame>\d+))?(?::(?P<skew>\d+))?(?:\+(?P<offset>\d+))?")
_GAIN = re.compile(rf"(?P<gain>{_NUMBER})(?:\((?P<baseline>[-+]?\d+)\))?(?:/(?P<unit>\S+))?")
_SEGMENT = re.compile(r"(?P<name>\S+)\s+(?P<length>\d+)")


@dataclass(frozen=True)
class Channel:
    """One signal specification line.

    Args:
        file: Name of the file that holds its samples.
        format: Number of the storage format.
        frame: Samples in each frame.
        skew: Frames by which it lies later in the file.
        offset: Bytes before its file's first sample.
        gain: Steps of the converter for one physical unit.
        baseline: Step that stands for 0 physical units.
        unit: As written.
        bits: Resolution of the converter; 0 where it is not known.
        initial: Its first sample, in steps, from which format 8 starts; None where it is not said.
        checksum: Of its samples, modulo 65,536; None where it is not said.
        name: Description, such as `MLII`.
    """

    file: str
    format: int
    frame: int = 1
    skew: int = 0
    offset: int = 0
    gain: float = GAIN
    baseline: int = 0
    unit: str = UNIT
    bits: int = 0
    initial: int | None = None
    checksum: int | None = None
    name: str = ""


@dataclass(frozen=True)
class Header:
    """A record.

    Args:
        rate: Frames a second.
        length: Frames; None where it is not said.
        channels: Of an ordinary record.
        segments: Name and frames of each, of a record in several parts; `~` is a gap, and a first one of 0 frames
            only lists the channels.
    """

    rate: float
    length: int | None
    channels: tuple[Channel, ...] = ()
    segments: tuple[tuple[str, int], ...] = ()


def read_header(path: Path) -> Header:
    """Read a header. Dates and remarks (`#`) are left out: they may say who the patient is.

    Raises:
        UnreadableFile: When it is no header.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UnreadableFile(path, str(error.strerror)) from error
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    record = _RECORD.fullmatch(lines[0]) if lines else None
    if record is None:
        raise UnreadableFile(path, "it does not begin with a record's name and number of signals", "Give a WFDB header")
    rate = float(record["rate"] or RATE)
    length = int(record["length"]) if record["length"] and int(record["length"]) else None
    if rate <= 0:
        raise UnreadableFile(path, f"its rate is {rate:g} Hz")
    wanted = int(record["segments"]) if record["segments"] else int(record["signals"])
    if not wanted or len(lines) - 1 < wanted:
        raise UnreadableFile(path, f"it announces {wanted} lines and has {len(lines) - 1}")
    body = lines[1 : wanted + 1]
    if record["segments"]:
        return Header(rate, length, segments=tuple(_segment(path, line) for line in body))
    return Header(rate, length, channels=tuple(_channel(path, line) for line in body))


def _segment(path: Path, line: str) -> tuple[str, int]:
    found = _SEGMENT.fullmatch(line)
    if found is None:
        raise UnreadableFile(path, f"{line[:60]!r} is not the name and length of a segment")
    return _plain(path, found["name"]), int(found["length"])


def _channel(path: Path, line: str) -> Channel:
    fields = line.split(None, 8)
    stored = _FORMAT.fullmatch(fields[1]) if len(fields) > 1 else None
    if stored is None:
        raise UnreadableFile(path, f"{line[:60]!r} does not say how a signal is stored")
    gain, baseline, unit = _scale(path, fields[2] if len(fields) > 2 else str(GAIN))
    rest = [_whole(path, line, cell) for cell in fields[3:8]]
    bits, zero, initial, checksum = (*rest[:4], *(None,) * 4)[:4]
    return Channel(
        file=_plain(path, fields[0]),
        format=int(stored["format"]),
        frame=max(1, int(stored["frame"] or 1)),
        skew=int(stored["skew"] or 0),
        offset=int(stored["offset"] or 0),
        gain=gain,
        # What is not said is the middle of the converter's range.
        baseline=(zero or 0) if baseline is None else baseline,
        unit=unit,
        bits=bits or 0,
        initial=initial,
        checksum=checksum,
        name=fields[8].strip() if len(fields) > 8 else "",
    )


def _scale(path: Path, cell: str) -> tuple[float, int | None, str]:
    found = _GAIN.fullmatch(cell)
    if found is None:
        raise UnreadableFile(path, f"{cell!r} is no gain")
    # A gain of 0 means that nobody calibrated: header(5) then asks for the default.
    gain = float(found["gain"]) or GAIN
    return gain, int(found["baseline"]) if found["baseline"] else None, found["unit"] or UNIT


def _whole(path: Path, line: str, cell: str) -> int:
    try:
        return int(cell)
    except ValueError as error:
        raise UnreadableFile(path, f"{cell!r} in {line[:60]!r} is no whole number") from error


def _plain(path: Path, name: str) -> str:
    """A name of a file beside the header: nothing else may be opened because a header says so."""
    if "/" in name or "\\" in name or name in (".", ".."):
        raise UnreadableFile(path, f"it names a file in another folder: {name[:80]!r}")
    return name
