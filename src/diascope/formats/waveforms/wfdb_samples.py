"""The samples of a WFDB record: the storage formats of PhysioNet's signal(5) (WFDB Applications Guide, 10.7).

The compressed ones (508, 516, 524: FLAC) are not read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from diascope.core.errors import UnreadableFile
from diascope.formats.waveforms.wfdb_header import Channel

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]


def _plain(dtype: str, middle: int = 0) -> Callable[[Bytes], Ints]:
    def read(content: Bytes) -> Ints:
        size = np.dtype(dtype).itemsize
        return content[: len(content) // size * size].view(dtype).astype(np.int64) - middle

    return read


def _signed(values: Ints, bits: int) -> Ints:
    """Two's complement of so many bits."""
    return np.where(values >= 1 << bits - 1, values - (1 << bits), values)


def _blocks(content: Bytes, size: int) -> Ints:
    """(N, size) bytes; the last block may lack what no sample needs."""
    padded = np.pad(content, (0, -len(content) % size))
    return padded.reshape(-1, size).astype(np.int64)


def _of_12_bits(content: Bytes) -> Ints:
    block = _blocks(content, 3)
    first = block[:, 0] | (block[:, 1] & 0x0F) << 8
    second = block[:, 2] | (block[:, 1] & 0xF0) << 4
    return _signed(np.stack([first, second], axis=1).reshape(-1), 12)


def _of_24_bits(content: Bytes) -> Ints:
    block = _blocks(content[: len(content) // 3 * 3], 3)
    return _signed(block @ np.array([1, 1 << 8, 1 << 16]), 24)


def _of_10_bits(content: Bytes) -> Ints:
    """Three samples in two words of 16 bits: the third lies in what is left of both (format 310)."""
    block = _blocks(content, 4)
    words = block[:, ::2] | block[:, 1::2] << 8
    third = words[:, 0] >> 11 & 0x1F | (words[:, 1] >> 11 & 0x1F) << 5
    return _signed(np.stack([words[:, 0] >> 1 & 0x3FF, words[:, 1] >> 1 & 0x3FF, third], axis=1).reshape(-1), 10)


def _of_10_bits_in_32(content: Bytes) -> Ints:
    """Three samples one after the other in a word of 32 bits (format 311)."""
    word = _blocks(content, 4) @ np.array([1, 1 << 8, 1 << 16, 1 << 24])
    return _signed(np.stack([word & 0x3FF, word >> 10 & 0x3FF, word >> 20 & 0x3FF], axis=1).reshape(-1), 10)


READ: MappingProxyType[int, Callable[[Bytes], Ints]] = MappingProxyType(
    {
        8: _plain("<i1"),
        16: _plain("<i2"),
        24: _of_24_bits,
        32: _plain("<i4"),
        61: _plain(">i2"),
        80: _plain("<u1", 128),
        160: _plain("<u2", 32768),
        212: _of_12_bits,
        310: _of_10_bits,
        311: _of_10_bits_in_32,
    }
)
"""Storage format to what makes samples of its bytes."""

MISSING = MappingProxyType(
    {
        16: -(1 << 15),
        24: -(1 << 23),
        32: -(1 << 31),
        61: -(1 << 15),
        80: -(1 << 7),
        160: -(1 << 15),
        212: -(1 << 11),
        310: -(1 << 9),
        311: -(1 << 9),
    }
)
"""Of each format the step that stands for a sample that is not there: the lowest one. Format 8 has none."""

BYTES = MappingProxyType({8: (1, 1), 16: (2, 1), 24: (3, 1), 32: (4, 1), 61: (2, 1), 80: (1, 1), 160: (2, 1)})
"""Bytes, and the samples that they hold; (3, 2) and (4, 3) for what is packed."""


def samples_of(path: Path, channels: Sequence[Channel], length: int | None) -> tuple[list[Ints], list[str]]:
    """The steps of the converter of all channels that share a file.

    Args:
        path: The file of samples.
        channels: In the order of the header; all of one storage format.
        length: Frames; None takes what is there.

    Returns:
        For each channel its (frames x samples a frame,) steps, and what is worth telling.

    Raises:
        UnreadableFile: When the file is missing, too short, or of a format that is not read.
    """
    kind, offset = channels[0].format, channels[0].offset
    if any((one.format, one.offset) != (kind, offset) for one in channels):
        raise UnreadableFile(path, "its header gives one file two storage formats")
    if kind not in READ:
        raise UnreadableFile(
            path, f"storage format {kind} is not read", f"Convert it (xform) to one of {', '.join(map(str, READ))}"
        )
    width = sum(one.frame for one in channels)
    try:
        content = np.fromfile(path, dtype=np.uint8, offset=offset)
    except OSError as error:
        raise UnreadableFile(path, str(error.strerror or error)) from error
    if length is not None:
        content = content[: _bytes_of(kind, length * width)]
    steps = READ[kind](content)
    frames = _whole_frames(path, kind, len(content), width)
    if length is not None and frames < length:
        raise UnreadableFile(path, f"it ends after {frames} of {length} samples a channel", "Fetch it again")
    if not frames:
        raise UnreadableFile(path, "it holds no samples")
    table = steps[: frames * width].reshape(frames, width)
    ends = np.cumsum([0, *(one.frame for one in channels)])
    found = [table[:, start:stop].reshape(-1) for start, stop in pairwise(ends)]
    if kind == 8:
        # First differences, from a first value that is not stored.
        found = [(one.initial or 0) + np.cumsum(values) for one, values in zip(channels, found, strict=True)]
    notes = [
        f"the checksum of {one.name or path.name} differs from its header's: the samples may be damaged"
        for one, values in zip(channels, found, strict=True)
        if length is not None and one.checksum is not None and (int(values.sum()) - one.checksum) % 65536
    ]
    return found, notes


def physical(channel: Channel, steps: Ints) -> npt.NDArray[np.float32]:
    """Samples in the channel's unit; nan where there is none."""
    values = ((steps - channel.baseline) / channel.gain).astype(np.float32)
    missing = MISSING.get(channel.format)
    if missing is not None:
        values[steps == missing] = np.nan
    return values


def _bytes_of(kind: int, samples: int) -> int:
    size, held = BYTES.get(kind, (3, 2) if kind == 212 else (4, 3))
    if kind == 212:
        return samples // 2 * 3 + (2 if samples % 2 else 0)
    return -(-samples // held) * size


def _whole_frames(path: Path, kind: int, count: int, width: int) -> int:
    """How many frames so many bytes hold."""
    size, held = BYTES.get(kind, (3, 2) if kind == 212 else (4, 3))
    samples = count // size * held
    if kind == 212 and count % 3 == 2:
        samples += 1
    return samples // width


def held(values: Sequence[npt.NDArray[Any]], frames: Sequence[int]) -> tuple[npt.NDArray[np.float32], int]:
    """Channels (T, C) of one rate: those with fewer samples a frame hold each of them longer, as rdsamp -H does.

    Returns:
        The samples, and how many of them are in a frame.
    """
    most = int(np.lcm.reduce(np.array(frames)))
    columns = [np.repeat(one, most // frame) for one, frame in zip(values, frames, strict=True)]
    return np.stack(columns, axis=1).astype(np.float32), most
