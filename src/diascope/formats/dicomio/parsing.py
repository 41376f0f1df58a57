"""Opening one foreign DICOM file, inside the decoder child: the header bounded, the pixels left on disk."""

from __future__ import annotations

import zlib
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import FileMetaDataset
from pydicom.filereader import read_dataset, read_file_meta_info
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

PIXEL_TAGS = (0x7FE00008, 0x7FE00009, 0x7FE00010)
"""Float, double and integer pixel data (PS3.3 C.7.6.24, C.7.6.25, C.7.6.3)."""

RATIO = {"1.2.840.10008.1.2.5": 64}
"""Pixel bytes per compressed byte that are possible at most. RLE: two bytes give 128 (PS3.5 G.3.1)."""

ANY_RATIO = 20_000
"""The same for the other syntaxes: an empty JPEG 2000 or JPEG-LS frame is some hundred bytes."""

LARGEST_INFLATED = 512 << 20
"""Bytes that a deflated file may inflate to; larger ones are refused (a deflate bomb is 1000 : 1)."""

BOUNDED_INFLATED = 128 << 20
"""The same where whoever sent the file is not trusted."""

BOUNDED_ELEMENT = 16 << 20
"""Elements of the header beyond this stay on disk then."""

LARGEST_PIXELS = 8 << 30
"""Bytes of decoded pixels that one file may have."""


class BrokenFileError(Exception):
    """A reason why a file cannot be used; its text carries no identity."""


class Parsed:
    """One file with its header parsed and its pixel data not yet read.

    Args:
        path: The file.
        bounded: Whether it came over the network: it must be a whole DICOM file, and less memory is spent on it.

    Raises:
        BrokenFileError: With the reason.
    """

    def __init__(self, path: Path, bounded: bool = False) -> None:
        self.path = path
        self.size = path.stat().st_size
        try:
            self._read(path, bounded)
        except RecursionError as error:  # pydicom reads sequences of undefined length by recursion
            raise BrokenFileError("sequences are nested too deep") from error
        if not self.dataset and not self.dataset.file_meta:
            raise BrokenFileError("not DICOM: no element could be parsed")
        self._complete_meta()

    def _read(self, path: Path, bounded: bool) -> None:
        with path.open("rb") as stream:
            if bounded and stream.read(132)[128:] != b"DICM":
                raise BrokenFileError("not a DICOM file: DICM is not where it must be")
            stream.seek(0)
            self._inflated = _inflate(path, BOUNDED_INFLATED if bounded else LARGEST_INFLATED)
            source: BinaryIO = stream if self._inflated is None else BytesIO(self._inflated[0])
            if self._inflated is None:
                self.dataset: Any = pydicom.dcmread(
                    source, stop_before_pixels=True, force=True, defer_size=BOUNDED_ELEMENT if bounded else None
                )
            else:
                body = read_dataset(source, False, True, stop_when=_at_pixels)
                self.dataset = pydicom.FileDataset(source, body, None, self._inflated[1], False, True)
            self._at = source.tell()
            rest = (self.size if self._inflated is None else len(self._inflated[0])) - self._at
        self.pixel_bytes = max(0, rest)

    def _complete_meta(self) -> None:
        """Give a file without a meta header the transfer syntax that its data set was found to have."""
        implicit, little = self.dataset.original_encoding
        if not hasattr(self.dataset, "file_meta"):
            self.dataset.file_meta = FileMetaDataset()
        if "TransferSyntaxUID" not in self.dataset.file_meta:
            explicit = UID("1.2.840.10008.1.2.1") if little else UID("1.2.840.10008.1.2.2")
            self.dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit

    @property
    def syntax(self) -> UID:
        """The transfer syntax."""
        return UID(str(self.dataset.file_meta.TransferSyntaxUID))

    def plain_frames(self) -> npt.NDArray[Any] | None:
        """The frames (N, rows, columns) of an uncompressed grey little-endian image straight from the file.

        This is what most CT and MR is, and it saves half of the time that the general decoder takes. None where the
        file is of another kind.
        """
        dataset, bits = self.dataset, int(self.dataset.get("BitsAllocated") or 0)
        little, samples = self.dataset.original_encoding[1], int(dataset.get("SamplesPerPixel") or 1)
        if self.syntax.is_encapsulated or self._inflated is not None or not little or samples != 1:
            return None
        if bits not in (8, 16) or self.dataset.get("PhotometricInterpretation") == "PALETTE COLOR":
            return None
        check_size(self)
        shape = (frame_count(dataset), int(dataset.Rows), int(dataset.Columns))
        with self.path.open("rb") as stream:
            stream.seek(self._at)
            head = stream.read(8)
            if head[:4] != b"\xe0\x7f\x10\x00":
                return None
            explicit = head[4:6] in (b"OW", b"OB")
            length = int.from_bytes(stream.read(4) if explicit else head[4:], "little")
            kind = np.dtype(f"<{'i' if int(dataset.get('PixelRepresentation') or 0) else 'u'}{bits // 8}")
            count = int(np.prod(shape))
            values = np.fromfile(stream, kind, count)
        if values.size < count or length < values.nbytes:
            raise BrokenFileError(f"truncated: {values.size} of {count} pixels are there")
        return values.reshape(shape)

    def check_native(self) -> None:
        """Refuse an uncompressed file that holds fewer pixels than it declares, without reading them.

        Raises:
            BrokenFileError: When it does, or has none.
        """
        check_size(self)
        implicit, little = self.dataset.original_encoding
        with self.path.open("rb") as stream:
            stream.seek(self._at)
            head = stream.read(12)
        order: Literal["little", "big"] = "little" if little else "big"
        at = 4 if implicit else 8
        length = int.from_bytes(head[at : at + 4], order)
        there = min(length, self.pixel_bytes - at - 4)
        if self._inflated is None and there < declared_bytes(self.dataset):
            raise BrokenFileError(f"truncated: {there} bytes of pixels are there")

    def load_pixels(self) -> Any:
        """The data set with its pixel data read, after its size was found possible.

        Raises:
            BrokenFileError: When there are none, or what the header says does not fit the bytes that are there.
        """
        if any(tag in self.dataset for tag in PIXEL_TAGS):
            return self.dataset
        check_size(self)
        implicit, little = self.dataset.original_encoding
        if self._inflated is None:
            with self.path.open("rb") as stream:
                stream.seek(self._at)
                tail: Any = read_dataset(stream, implicit, little)
        else:
            stream_inflated = BytesIO(self._inflated[0])
            stream_inflated.seek(self._at)
            tail = read_dataset(stream_inflated, False, True)
        loaded = pydicom.FileDataset(
            str(self.path), {}, None, self.dataset.file_meta, is_implicit_VR=implicit, is_little_endian=little
        )
        loaded.update(self.dataset)
        for tag in PIXEL_TAGS:
            if tag in tail:
                loaded[tag] = tail[tag]
        loaded.set_original_encoding(implicit, little)
        if not any(tag in loaded for tag in PIXEL_TAGS):
            raise BrokenFileError("the file ends before its pixel data")
        return loaded


def frame_count(dataset: Any) -> int:
    """Number of frames (0028,0008), 1 where it is absent or empty."""
    return int(dataset.get("NumberOfFrames") or 1)


def check_size(parsed: Parsed) -> None:
    """Refuse a file whose header declares more pixels than its bytes can hold, before anything is allocated.

    Raises:
        BrokenFileError: With both numbers.
    """
    dataset = parsed.dataset
    rows, columns = int(dataset.get("Rows") or 0), int(dataset.get("Columns") or 0)
    frames, samples = frame_count(dataset), int(dataset.get("SamplesPerPixel") or 1)
    bits = int(dataset.get("BitsAllocated") or 0)
    if min(rows, columns, frames, samples) < 1 or bits not in (1, 8, 16, 32, 64):
        raise BrokenFileError(
            f"no usable pixels: rows {rows}, columns {columns}, frames {frames}, samples {samples}, bits {bits}"
        )
    if parsed.pixel_bytes == 0:
        raise BrokenFileError("no pixel data in this file")
    declared = declared_bytes(dataset)
    if parsed.syntax.is_encapsulated:
        possible = parsed.pixel_bytes * RATIO.get(str(parsed.syntax), ANY_RATIO)
    else:
        possible = parsed.pixel_bytes
    if declared > possible or declared > LARGEST_PIXELS:
        raise BrokenFileError(
            f"truncated: the header declares {declared} bytes of pixels, {parsed.pixel_bytes} are there"
        )


def declared_bytes(dataset: Any) -> int:
    """Bytes that the decoded pixels have, as the header says."""
    count = frame_count(dataset)
    for name in ("Rows", "Columns", "BitsAllocated"):
        count *= int(dataset.get(name) or 0)
    declared = (count * int(dataset.get("SamplesPerPixel") or 1) + 7) // 8
    if dataset.get("PhotometricInterpretation") == "YBR_FULL_422" and not _is_encapsulated(dataset):
        return declared * 2 // 3  # two chrominance samples for two pixels, PS3.3 C.7.6.3.1.2
    return declared


def _is_encapsulated(dataset: Any) -> bool:
    return bool(UID(str(dataset.file_meta.TransferSyntaxUID)).is_encapsulated)


def _at_pixels(tag: int, _vr: str | None, _length: int) -> bool:
    return tag in PIXEL_TAGS


def _inflate(path: Path, most: int) -> tuple[bytes, FileMetaDataset] | None:
    """The inflated data set and the meta header of a deflated file (PS3.5 A.5), None for any other file."""
    with path.open("rb") as stream:
        head = stream.read(1024)
    if head[128:132] != b"DICM" or DeflatedExplicitVRLittleEndian.encode() not in head:
        return None
    meta = read_file_meta_info(str(path))
    if meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        return None
    with path.open("rb") as stream:
        group = 132 + 12 + int(meta.get("FileMetaInformationGroupLength") or 0)
        stream.seek(group)
        engine = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            content = engine.decompress(stream.read(), most)
        except zlib.error as error:
            raise BrokenFileError(f"the deflated data are broken ({error})") from error
    if engine.unconsumed_tail:
        raise BrokenFileError(f"it inflates to more than {most >> 20} MiB")
    return content, meta
