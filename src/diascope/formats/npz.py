"""Arrays in a numpy archive (MedMNIST): `item` is `train_images:17`, or the name of an array that is one image."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from diascope.core.errors import BadUsage, UnreadableFile
from diascope.core.geometry import Geometry
from diascope.core.image import Image
from diascope.formats import Extent, Format
from diascope.formats.files.reading import ends_with, foreign, only

CHANNELS = (1, 3, 4)
"""Lengths of a last axis that is taken for grey, for colour, and for colour with alpha (or four channels)."""

KEPT = 4
"""Arrays that a process keeps: the images and masks of the training and validation parts."""


class Npz:
    """Read only: thousands of cases share one archive, which Diascope does not write."""

    suffixes: tuple[str, ...] = (".npz",)
    writes: bool = False

    def is_available(self) -> bool:
        return True

    def recognises(self, path: Path) -> bool:
        return ends_with(path, self.suffixes)

    def read(self, paths: Sequence[Path], item: str | None = None) -> Image:
        path = only(paths)
        with foreign(path):
            stat = path.stat()
            name, _, number = (item or _only_array(path)).partition(":")
            array = _array(str(path), name, stat.st_mtime_ns, stat.st_size)
            if isinstance(array, str):
                raise UnreadableFile(path, array)
            if number:
                if not number.isdecimal() or int(number) >= len(array):
                    raise UnreadableFile(path, f"there is no {item!r}; {name} has {len(array)} items")
                array = array[int(number)]
            array, notes = _channels_first(array, path)
            return Image(array, Geometry.unknown(), unit="grey", history=notes)

    def extent(self, paths: Sequence[Path], item: str | None = None) -> Extent | None:
        return None  # thousands of small cases share one archive, which is held whole

    def write(self, image: Image, path: Path, like: Sequence[Path] = ()) -> None:
        raise BadUsage("npz is only read", given=path, todo="Write .nii.gz, .nrrd or .png")


def _only_array(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        held = [name.removesuffix(".npy") for name in archive.namelist()]
    if len(held) != 1:
        raise UnreadableFile(
            path, f"it holds {len(held)} arrays: {', '.join(held)}", "Say which one, as NAME or NAME:17"
        )
    return held[0]


def unpacked_bytes(path: Path, name: str) -> int:
    """Bytes of one array, or of all of them where the name is empty; 0 where reading will say what is wrong."""
    try:
        with zipfile.ZipFile(path) as archive:
            held = archive.infolist()
    except (OSError, ValueError, zipfile.BadZipFile):
        return 0
    return sum(one.file_size for one in held if name in ("", one.filename.removesuffix(".npy")))


# The archive is decompressed once and kept.
# So is the reason why one cannot be read: a bad checksum shows at the end, and every case would start anew.
@lru_cache(maxsize=KEPT)
def _array(path: str, name: str, changed: int, size: int) -> npt.NDArray[Any] | str:
    """One array of an archive, or what is wrong with it; `changed` (ns) and `size` only tell a rewritten file.

    Raises:
        UnreadableFile: When memory is short, which may pass: that is not kept.
    """
    try:
        with foreign(Path(path)):
            return _unpacked(Path(path), name)
    except UnreadableFile as error:
        if isinstance(error.__cause__, MemoryError):
            raise
        return error.reason


def _unpacked(path: Path, name: str) -> npt.NDArray[Any]:
    with np.load(path, allow_pickle=False) as archive:
        if name not in archive.files:
            raise UnreadableFile(path, f"no array is named {name!r}; there are: {', '.join(archive.files)}")
        array: npt.NDArray[Any] = archive[name]
    if array.dtype.kind not in "iufb":
        raise UnreadableFile(path, f"{name} holds {array.dtype}, not numbers")
    array.setflags(write=False)
    return array


def _channels_first(array: npt.NDArray[Any], path: Path) -> tuple[npt.NDArray[Any], tuple[str, ...]]:
    """(Y, X), (Y, X, C), (Z, Y, X) or (Z, Y, X, C) to (C, Z, Y, X), a copy of its own; and what was done to it."""
    channels = array.ndim > 2 and array.shape[-1] in CHANNELS
    if array.ndim - channels not in (2, 3):
        raise UnreadableFile(path, f"an array of shape {array.shape} is not an image", "Say which one, as NAME:17")
    array = np.moveaxis(array, -1, 0) if channels else array[None]
    array = array[:, None] if array.ndim == 3 else array
    notes: tuple[str, ...] = ()
    # Four whole numbers a pixel are a colour with alpha; those of a volume, or measured ones, are four channels.
    if len(array) == 4 and array.shape[1] == 1 and array.dtype.kind in "iu":
        array, notes = array[:3], ("the alpha channel was dropped",)
    return np.array(array, order="C"), notes


FORMAT: Format = Npz()
