"""NRRD and MetaImage through SimpleITK: already LPS, indices (x, y, z).

Also the two filters of ITK that transforms use: SimpleITK is imported in `formats/`, and nowhere else.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK

from diascope.core.errors import DataRefused, UnreadableFile
from diascope.core.geometry import Geometry
from diascope.core.image import Image
from diascope.formats import Extent, Format
from diascope.formats.files.reading import ends_with, foreign, numbered, only

_UNTYPED: Any = SimpleITK
UNIT, PHYSICAL = "diascope_unit", "diascope_physical"
"""Keys of our own in the header: neither format has a field for the unit of the values, nor for "no millimetres"."""
SIZES = (b"spacings:", b"space directions:", b"elementspacing", b"elementsize")
"""Header fields that give the size of a voxel; without any of them SimpleITK would silently say 1 mm."""


class Itk:
    """NRRD and MetaImage; `item` may be `channel:N`."""

    suffixes: tuple[str, ...] = (".nrrd", ".nhdr", ".mha", ".mhd")
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
        reader = _UNTYPED.ImageFileReader()
        reader.SetFileName(str(path))
        with foreign(path):
            reader.ReadImageInformation()
            size = [int(length) for length in reader.GetSize()]
            x, y, z, *rest = (*size, 1)[: max(3, len(size))]
            channels = int(np.prod(rest, dtype=int)) * int(reader.GetNumberOfComponents())
            itemsize = SimpleITK.GetArrayViewFromImage(_UNTYPED.Image([1, 1], reader.GetPixelID(), 1)).itemsize
            return Extent((1 if item else channels, z, y, x), itemsize, _geometry(reader, physical=True))

    def write(self, image: Image, path: Path, like: Sequence[Path] = ()) -> None:
        if not ends_with(path, (".nrrd", ".mha")):
            raise DataRefused("images are written as one file, .nrrd or .mha", given=path)
        array = np.moveaxis(image.array, 0, -1) if image.channels > 1 else image.array[0]
        array = array.astype(_STORED.get(array.dtype, array.dtype))
        file: Any = SimpleITK.GetImageFromArray(array, isVector=image.channels > 1)
        file.SetSpacing(image.geometry.steps[::-1])
        file.SetDirection(image.geometry.directions[:, ::-1].ravel().tolist())
        file.SetOrigin(image.geometry.origin)
        file.SetMetaData(UNIT, image.unit)
        file.SetMetaData(PHYSICAL, str(image.geometry.physical))
        _write_whole(file, path)


def bilateral(image: npt.NDArray[np.float32], sigma: float, alike: float) -> npt.NDArray[np.float32]:
    """ITK's bilateral filter of an array (Z, Y, X) or (Y, X), float32.

    Args:
        image: In any unit.
        sigma: Of the distance, in voxels.
        alike: Of the difference, in units of the image.
    """
    step: Any = _UNTYPED.BilateralImageFilter()
    step.SetDomainSigma(float(sigma))
    step.SetRangeSigma(float(alike))
    return np.asarray(SimpleITK.GetArrayFromImage(step.Execute(SimpleITK.GetImageFromArray(image))), dtype=np.float32)


def without_bias(image: npt.NDArray[np.float32], shrink: int, iterations: Sequence[int]) -> npt.NDArray[np.float32]:
    """ITK's N4 bias-field correction of an array (Z, Y, X) or (Y, X), float32, none below 0.

    Args:
        image: The field is fitted where it is above 0.
        shrink: By how much each axis is thinned for the fit; an axis keeps at least 8 voxels where it has them.
        iterations: Most iterations of each level of the field, coarse to fine.
    """
    whole: Any = SimpleITK.GetImageFromArray(image)
    inside: Any = SimpleITK.GetImageFromArray((image > 0).astype(np.uint8))
    thinner = [max(1, min(shrink, side // FEWEST_SIDE)) for side in whole.GetSize()]
    fit: Any = _UNTYPED.N4BiasFieldCorrectionImageFilter()
    # Sums of several threads come in any order: the same image shall give the same bits everywhere.
    fit.SetNumberOfThreads(1)
    fit.SetMaximumNumberOfIterations(list(iterations))
    fit.Execute(_UNTYPED.Shrink(whole, thinner), _UNTYPED.Shrink(inside, thinner))
    field = SimpleITK.GetArrayFromImage(fit.GetLogBiasFieldAsImage(whole))
    return np.asarray(image / np.exp(field), dtype=np.float32)


FEWEST_SIDE = 8
"""Voxels that an axis keeps while a bias field is fitted."""
_STORED: dict[Any, Any] = {np.dtype(bool): np.dtype(np.uint8), np.dtype(np.float16): np.dtype(np.float32)}


def _read(path: Path, item: str | None) -> Image:
    with path.open("rb") as stream:
        start = stream.read(65536)
    if not start.strip():
        raise UnreadableFile(path, "the file is empty")
    file = _open(path)
    keys = set(file.GetMetaDataKeys())
    history = []
    physical = any(field in start.lower() for field in SIZES)
    if not physical:
        history.append("the header gives no voxel size: there are no millimetres")
    if PHYSICAL in keys:
        physical = file.GetMetaData(PHYSICAL) == "True"
    if (
        path.suffix.lower() in (".nrrd", ".nhdr")
        and physical
        and b"space:" not in start
        and b"space dimension" not in start
    ):
        history.append("the header names no space: LPS was assumed")
    unit = file.GetMetaData(UNIT) if UNIT in keys else "a.u."
    geometry, array = _geometry(file, physical), _channels_first(file, path)
    channel = numbered(item, "channel", array.shape[0], path)
    array = array if channel is None else array[channel : channel + 1]
    return Image(np.array(array, order="C"), geometry, unit=unit, history=tuple(history))


def _open(path: Path) -> Any:
    try:
        return SimpleITK.ReadImage(str(path))
    except RuntimeError as error:
        # "Exception thrown in ... ITK ERROR: NrrdImageIO(0x55): Read: ...": only the end is about the file.
        reason = re.sub(r"\(0x[0-9a-f]+\)", "", str(error).split("ERROR:")[-1])
        raise UnreadableFile(path, " ".join(reason.split())) from error


def _channels_first(file: Any, path: Path) -> np.ndarray[Any, Any]:
    # A view on the memory of `file`: whoever keeps the values has to copy them.
    array = SimpleITK.GetArrayViewFromImage(file)
    if array.dtype.kind not in "iuf":
        raise UnreadableFile(path, f"voxels of type {array.dtype} are not supported")
    if file.GetNumberOfComponentsPerPixel() > 1:
        array = np.moveaxis(array, -1, 0)
        if file.GetDimension() == 4:
            raise UnreadableFile(path, "both a fourth axis and several components are in use")
    elif file.GetDimension() < 4:
        array = array[None]
    return array[:, None] if array.ndim == 3 else array


def _geometry(file: Any, physical: bool) -> Geometry:
    """Of the first three axes; a flat image lies in the plane z = 0."""
    size = file.GetDimension()
    affine = np.eye(4)
    used = min(size, 3)
    axes = np.array(file.GetDirection()).reshape(size, size) * np.array(file.GetSpacing())
    affine[:used, :used] = axes[:used, :used]
    affine[:used, 3] = file.GetOrigin()[:used]
    return Geometry(affine[:, [2, 1, 0, 3]], physical)


def _write_whole(file: Any, path: Path) -> None:
    """Write beside the target, then rename: a reader never sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=path.suffix.lower())
    os.close(handle)
    try:
        SimpleITK.WriteImage(file, temporary, useCompression=True)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except RuntimeError as error:
        raise DataRefused(f"cannot write {path}: {error}") from error
    finally:
        Path(temporary).unlink(missing_ok=True)


FORMAT: Format = Itk()
