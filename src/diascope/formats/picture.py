"""PNG, JPEG, TIFF, BMP, GIF. They have no millimetres: a resolution in such a file is about paper or screens."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import PIL.Image
import PIL.ImageOps
import PIL.PngImagePlugin
import SimpleITK

from diascope.core.errors import DataRefused, UnreadableFile
from diascope.core.geometry import Geometry
from diascope.core.image import Image
from diascope.core.record import write_durably
from diascope.formats import Extent, Format
from diascope.formats.files.reading import ends_with, foreign, numbered, only

Values = npt.NDArray[Any]
MADE = "diascope_synthetic"
"""PNG text field that says which program and release made a picture of nobody."""
SYNTHETIC = "a synthetic picture, made by"
"""How the note on such a picture begins."""
UNIT = "diascope_unit"
"""PNG text field that keeps the unit of the values."""
EXIF_ORIENTATION = 0x0112
TIFF_BITS = 258
KEPT_MODES = ("L", "I", "F", "RGB", "I;16", "I;16B", "I;16L", "I;16N")
"""Modes of Pillow whose arrays are the stored values; every other one is converted, and that is noted."""


class Picture:
    """Pictures; `item` is `page:N` of a file with several, or `index` for the palette numbers of a label picture."""

    suffixes: tuple[str, ...] = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif")
    writes: bool = True

    def is_available(self) -> bool:
        return True

    def recognises(self, path: Path) -> bool:
        return ends_with(path, self.suffixes)

    def read(self, paths: Sequence[Path], item: str | None = None) -> Image:
        path = only(paths)
        with foreign(path), PIL.Image.open(path) as picture:
            _refuse_cut_png(picture, path)
            notes = _turn_to_page(picture, path, None if item == "index" else item)
            if item == "index":
                array = _indices(picture, path)
            else:
                array = (
                    _deep_colour(picture, path, notes) if _is_deep_colour(picture, path) else _decode(picture, notes)
                )
                array = _grey_if_equal(array, notes)
            unit = str(picture.info.get(UNIT, "label" if item == "index" else "grey"))
            made = str(picture.info.get(MADE, ""))
        attributes = {"synthetic": made} if made else {}
        notes += [f"{SYNTHETIC} {made}"] if made else []
        array = np.ascontiguousarray(array[:, None])
        return Image(array, Geometry.unknown(), unit=unit, attributes=attributes, history=tuple(notes))

    def extent(self, paths: Sequence[Path], item: str | None = None) -> Extent | None:
        path = only(paths)
        with foreign(path), PIL.Image.open(path) as picture:
            deep = _is_deep_colour(picture, path)
            channels = 1 if picture.mode in ("L", "I", "F", "1", "LA") or picture.mode.startswith("I;") else 3
            itemsize = 2 if deep or picture.mode.startswith("I;") else 4 if picture.mode in ("I", "F") else 1
            return Extent((channels, 1, picture.height, picture.width), itemsize, Geometry.unknown())

    def write(self, image: Image, path: Path, like: Sequence[Path] = ()) -> None:
        if not ends_with(path, (".png",)):
            raise DataRefused("pictures are written as .png, which loses nothing", given=path)
        if image.geometry.physical:
            raise DataRefused("a picture cannot hold millimetres", given=path, todo="Write .nii.gz, .nrrd or .mha")
        array = image.array[:, 0]
        fits = array.dtype == np.uint8 or (array.dtype == np.uint16 and len(array) == 1)
        if not image.is_flat or len(array) not in (1, 3) or not fits:
            raise DataRefused(
                "a picture is flat, with one channel of 8 or 16 bits or three of 8 bits",
                given=f"{array.dtype} (C, Z, Y, X) = {image.array.shape}",
                todo="Write .nii.gz, .nrrd or .mha",
            )
        content, text = io.BytesIO(), PIL.PngImagePlugin.PngInfo()
        text.add_text(UNIT, image.unit)
        if "synthetic" in image.attributes:
            text.add_text(MADE, str(image.attributes["synthetic"]))
        PIL.Image.fromarray(array[0] if len(array) == 1 else array.transpose(1, 2, 0)).save(
            content, "PNG", pnginfo=text
        )
        write_durably(path, content.getvalue())


def _refuse_cut_png(picture: PIL.Image.Image, path: Path) -> None:
    """Pillow accepts a PNG without its last chunk, IEND; a file that was cut off must not pass."""
    if picture.format == "PNG" and b"IEND" not in path.read_bytes()[-4096:]:
        raise UnreadableFile(path, "the end of the file (IEND) is missing: it was cut off")


def _turn_to_page(picture: PIL.Image.Image, path: Path, item: str | None) -> list[str]:
    """Choose the page of a TIFF or the frame of a GIF."""
    pages = int(getattr(picture, "n_frames", 1))
    page = numbered(item, "page", pages, path)
    if page is not None:
        picture.seek(page)
        return []
    if pages == 1:
        return []
    if picture.format in ("TIFF", "GIF"):
        raise UnreadableFile(path, f"it holds {pages} pages", f"Say which one: page:0 to page:{pages - 1}")
    return [f"the first of {pages} pictures in the file was read"]


def _indices(picture: PIL.Image.Image, path: Path) -> Values:
    if picture.mode not in ("P", "L", "1"):
        raise UnreadableFile(path, f"a {picture.mode} picture has no palette numbers")
    return np.asarray(picture, dtype=np.uint8)[None]


def _decode(picture: PIL.Image.Image, notes: list[str]) -> Values:
    """(C, Y, X) upright, without alpha."""
    upright: PIL.Image.Image = picture
    if picture.getexif().get(EXIF_ORIENTATION, 1) != 1:
        upright = PIL.ImageOps.exif_transpose(picture) or picture
        notes.append("turned upright as the EXIF orientation says")
    if upright.mode.startswith("I") and upright.has_transparency_data:
        # Pillow has no deep grey with alpha: its conversion would cut the values to 255.
        notes.append(f"the transparent value {upright.info.get('transparency')} was ignored")
    elif upright.has_transparency_data:
        upright = upright.convert("RGBA" if upright.mode not in ("L", "LA", "La") else "LA")
        hidden = float((np.asarray(upright)[..., -1] < 255).mean())
        notes.append(f"the alpha channel was dropped; {hidden:.1%} of the pixels were not opaque")
        upright = upright.convert(upright.mode[:-1])
    elif upright.mode in ("LA", "RGBA"):
        upright = upright.convert(upright.mode[:-1])
        notes.append("the alpha channel was dropped")
    if upright.mode == "1":
        upright = upright.convert("L")
    elif upright.mode not in KEPT_MODES:
        notes.append(f"converted from {'palette' if upright.mode == 'P' else upright.mode} to RGB")
        upright = upright.convert("RGB")
    array = np.asarray(upright)
    array = array.astype(array.dtype.newbyteorder("="))
    return array[None] if array.ndim == 2 else array.transpose(2, 0, 1)


def _is_deep_colour(picture: PIL.Image.Image, path: Path) -> bool:
    """Whether this is colour of 16 bits a channel, which Pillow would silently cut to 8."""
    if picture.format == "PNG":
        with path.open("rb") as stream:
            depth, kind = stream.read(26)[24:]
        return bool(depth == 16 and kind in (2, 4, 6))
    bits = getattr(picture, "tag_v2", {}).get(TIFF_BITS, (8,))
    return len(bits) > 1 and max(bits) > 8


def _deep_colour(picture: PIL.Image.Image, path: Path, notes: list[str]) -> Values:
    """(C, Y, X) of 16 bits a channel, without alpha."""
    if picture.getexif().get(EXIF_ORIENTATION, 1) != 1:
        raise UnreadableFile(path, "16-bit colour with an EXIF orientation is not supported", "Save it upright")
    array = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
    array = array.reshape(picture.height, picture.width, -1).transpose(2, 0, 1)
    if len(array) in (2, 4):
        notes.append("the alpha channel was dropped")
        array = array[:-1]
    return array


def _grey_if_equal(array: Values, notes: list[str]) -> Values:
    """One channel where three say the same: films are often stored as colour."""
    if len(array) == 3 and (array[0] == array[1]).all() and (array[0] == array[2]).all():
        notes.append("the three colour channels are equal: read as one grey channel")
        return array[:1]
    return array


FORMAT: Format = Picture()
