"""NIfTI-1 and -2 (.nii, .nii.gz): stored (X, Y, Z, T, C) in RAS millimetres, given as (C, Z, Y, X) in LPS.

The affine is the sform where its code is set, else the qform, else the pixel sizes alone (nifti1.h, methods 3, 2, 1).
"""

from __future__ import annotations

import functools
import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import numpy.typing as npt

from diascope.core.errors import DataRefused, UnreadableFile
from diascope.core.geometry import Array, Geometry
from diascope.core.image import Image
from diascope.core.record import write_durably
from diascope.formats import Extent, Format
from diascope.formats.files.reading import ends_with, foreign, numbered, only
from diascope.formats.picture import SYNTHETIC

RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
TO_MM = {"unknown": 1.0, "mm": 1.0, "meter": 1000.0, "micron": 0.001}
TO_SECONDS = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6}
_NEW: Any = nibabel.Nifti1Image
LABEL = 1002
"""NIFTI_INTENT_LABEL: the values are indices of structures."""
NO_MILLIMETRES = "no-mm"
"""Written into `descrip` for an image whose geometry is not physical: NIfTI itself has no way to say so."""
MADE_BY = "made-by="
"""Written into `descrip` of an image that no scanner recorded: which release made it."""


class Nifti:
    """NIfTI files; `item` may be `channel:N` of the fourth axis."""

    suffixes: tuple[str, ...] = (".nii", ".nii.gz")
    writes: bool = True

    def is_available(self) -> bool:
        return True

    def recognises(self, path: Path) -> bool:
        return ends_with(path, self.suffixes)

    def read(self, paths: Sequence[Path], item: str | None = None) -> Image:
        path = only(paths)
        with foreign(path):
            return _read(path, item)

    def extent(self, paths: Sequence[Path], item: str | None = None) -> Extent | None:
        path = only(paths)
        with foreign(path), path.open("rb") as plain:
            packed = plain.read(2) == b"\x1f\x8b"
            plain.seek(0)
            stream: Any = gzip.GzipFile(fileobj=plain) if packed else plain
            file = _kind(stream.read(4)).from_stream(_rewound(stream))
            array, scaled = file.header.get_data_dtype(), (file.dataobj.slope, file.dataobj.inter) != (1, 0)
            geometry, _ = _geometry(file, NO_MILLIMETRES not in _said(file))
            x, y, z, *rest = (*file.shape, 1, 1, 1)[: max(3, len(file.shape))]
            itemsize = np.dtype(_wide(array)).itemsize if scaled else array.itemsize
            channels = int(np.prod(rest, dtype=int)) if item is None else 1
            return Extent((channels, z, y, x), itemsize, geometry)

    def write(self, image: Image, path: Path, like: Sequence[Path] = ()) -> None:
        if not ends_with(path, self.suffixes):
            raise DataRefused("a NIfTI file ends in .nii or .nii.gz", given=path)
        content = _encode(image).to_bytes()
        write_durably(path, gzip.compress(content, 1, mtime=0) if path.name.lower().endswith(".gz") else content)


def _unpacked(path: Path) -> bytes:
    content = path.read_bytes()
    return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content


@functools.lru_cache(maxsize=1)
def _kept(path: Path, size: int, changed: int) -> bytes:
    """The unpacked bytes of the last file: its channels are asked for one after the other."""
    return _unpacked(path)


def _content(path: Path, item: str | None) -> bytes:
    if item is None:
        return _unpacked(path)
    facts = path.stat()
    return _kept(path, facts.st_size, facts.st_mtime_ns)


def _read(path: Path, item: str | None) -> Image:
    content = _content(path, item)
    file = _kind(content).from_bytes(content)
    said = _said(file)
    geometry, history = _geometry(file, physical=NO_MILLIMETRES not in said)
    array = _channels_first(file, path)
    channel = numbered(item, "channel", array.shape[0], path)
    # A copy: one channel must not keep all of them in memory.
    if channel == array.shape[0] - 1:
        _kept.cache_clear()
    array = array if channel is None else array[channel : channel + 1].copy()
    unit = next((word.removeprefix("unit=") for word in said if word.startswith("unit=")), "a.u.")
    if int(file.header["intent_code"]) == LABEL:
        unit = "label"
    attributes = _times(file, array.shape[0])
    if made := next((word.removeprefix(MADE_BY) for word in said if word.startswith(MADE_BY)), ""):
        attributes["synthetic"] = made
        history = (*history, f"{SYNTHETIC} {made}")
    return Image(_values(array, file), geometry, unit=unit, attributes=attributes, history=history)


def _times(file: Any, frames: int) -> dict[str, Any]:
    """When each frame of a series was taken, in seconds, where the header says that the fourth axis is time."""
    scale = TO_SECONDS.get(file.header.get_xyzt_units()[1])
    step = float(file.header["pixdim"][4])
    if frames < 2 or scale is None or step <= 0:
        return {}
    start = float(file.header["toffset"])
    return {"over_time": True, "frame_times": tuple((start + number * step) * scale for number in range(frames))}


def _kind(start: bytes) -> Any:
    """The class that reads a file, by the size of the header with which it begins."""
    return nibabel.Nifti2Image if start[:4] in (b"\x1c\x02\0\0", b"\0\0\x02\x1c") else nibabel.Nifti1Image


def _rewound(stream: Any) -> Any:
    stream.seek(0)
    return stream


def _said(file: Any) -> list[str]:
    """The words of the description, where this program keeps what NIfTI has no field for."""
    return str(np.char.decode(file.header["descrip"], "latin-1")).split()


def _wide(stored: np.dtype[Any]) -> type[np.floating[Any]]:
    """What holds stored values once they were scaled."""
    return np.float64 if stored.itemsize > 2 and stored != np.float32 else np.float32


def _channels_first(file: Any, path: Path) -> npt.NDArray[Any]:
    """Stored values as (C, Z, Y, X), a view of what was read."""
    stored: npt.NDArray[Any] = file.dataobj.get_unscaled()
    if stored.dtype.kind not in "iufb":
        raise UnreadableFile(path, f"voxels of type {stored.dtype} (colour or complex) are not supported")
    shape = stored.shape + (1,) * (3 - stored.ndim)
    extra = [size for size in shape[3:] if size > 1]
    if len(extra) > 1:
        raise UnreadableFile(path, f"more than four axes are in use: {shape}")
    return stored.reshape(*shape[:3], extra[0] if extra else 1, order="F").transpose(3, 2, 1, 0)


def _values(array: npt.NDArray[Any], file: Any) -> npt.NDArray[Any]:
    """Values in this machine's byte order, with slope and intercept applied where they change anything."""
    array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    slope, intercept = file.dataobj.slope, file.dataobj.inter
    if (slope, intercept) == (1, 0):
        return array
    wide = _wide(array.dtype)
    return np.asarray(array * wide(slope) + wide(intercept), dtype=wide)


def _geometry(file: Any, physical: bool) -> tuple[Geometry, tuple[str, ...]]:
    header, notes = file.header, []
    sform, qform = int(header["sform_code"]) > 0, int(header["qform_code"]) > 0
    affine: Array = header.get_best_affine()
    if sform and qform:
        apart = float(np.abs(_corners(file.shape) @ (header.get_sform() - header.get_qform()).T).max())
        if apart > 0.1:
            notes.append(f"sform and qform disagree by up to {apart:.1f} mm; the sform was used")
    if not sform and not qform:
        affine = np.diag([*np.abs(header["pixdim"][1:4].astype(float)), 1.0])
        affine[affine == 0] = 0
        if physical:
            notes.append("neither sform nor qform is set: sides and position are unknown, RAS axes were assumed")
    scale = TO_MM[header.get_xyzt_units()[0]]
    if scale != 1:
        notes.append(f"lengths were given in {header.get_xyzt_units()[0]} and converted to mm")
    affine = RAS_TO_LPS @ np.diag([scale, scale, scale, 1]) @ affine
    return Geometry(affine[:, [2, 1, 0, 3]], physical), tuple(notes)


def _corners(shape: tuple[int, ...]) -> Array:
    """(8, 4) homogeneous (x, y, z, 1) indices of the corners."""
    ends = [(0, size - 1) for size in (*shape, 1, 1)[:3]]
    return np.array([[x, y, z, 1] for x in ends[0] for y in ends[1] for z in ends[2]], dtype=np.float64)


def _encode(image: Image) -> Any:
    array = image.array.transpose(3, 2, 1, 0)
    array = array[..., 0] if image.channels == 1 else array
    if array.dtype == np.bool_:
        array = array.astype(np.uint8)
    elif array.dtype == np.float16:
        array = array.astype(np.float32)
    affine = RAS_TO_LPS @ image.geometry.affine[:, [2, 1, 0, 3]]
    file: Any = _NEW(array, affine, dtype=array.dtype)
    file.header.set_xyzt_units("mm")
    said = [f"unit={image.unit}"] + ([] if image.geometry.physical else [NO_MILLIMETRES])
    if "synthetic" in image.attributes:
        said.append(MADE_BY + "-".join(str(image.attributes["synthetic"]).split()))
    file.header["descrip"] = " ".join(said).encode("latin-1", "replace")[:79]
    if image.unit == "label":
        file.header.set_intent(LABEL, allow_unknown=True)
    file.set_sform(affine, code=1)
    columns = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    is_rigid = np.allclose(columns.T @ columns, np.eye(3), atol=1e-5)
    # A qform is a rotation and sizes: it cannot hold sheared axes, so its code then says "not set".
    file.set_qform(affine if is_rigid else None, code=1 if is_rigid else 0)
    return file


FORMAT: Format = Nifti()
