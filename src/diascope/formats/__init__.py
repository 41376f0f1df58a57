"""File formats: each module reads (and may write) one, and puts it into the one frame of `core.geometry`.

Shared parts live in sub-packages. Nothing above this folder converts a frame or knows a file format.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from diascope.core import registry
from diascope.core.case import FileRef
from diascope.core.errors import UnreadableFile
from diascope.core.geometry import Geometry
from diascope.core.image import Image, Input
from diascope.formats.files.union import UNION, read_union


@dataclass(frozen=True)
class Extent:
    """How large an image will be once it is read, as its header says.

    Args:
        shape: (C, Z, Y, X).
        itemsize: Bytes a value.
        geometry: Where its voxels are.
    """

    shape: tuple[int, int, int, int]
    itemsize: int
    geometry: Geometry

    @property
    def voxels(self) -> int:
        """Values of one channel."""
        return self.shape[1] * self.shape[2] * self.shape[3]

    @property
    def nbytes(self) -> int:
        """Bytes of all values."""
        return self.shape[0] * self.voxels * self.itemsize


class Format(Protocol):
    """What a file in this folder provides as `FORMAT`."""

    suffixes: tuple[str, ...]
    """Lower-case endings that it reads, such as `.nii.gz`."""
    writes: bool
    """Whether `write` is meant to be called."""

    def is_available(self) -> bool:
        """Whether the packages that it needs are installed."""
        ...

    def recognises(self, path: Path) -> bool:
        """Whether a file looks like this format: suffix first, magic bytes where there is none. Never raises."""
        ...

    def read(self, paths: Sequence[Path], item: str | None = None) -> Image:
        """Read one image.

        Args:
            paths: One file, or the files of one series in any order.
            item: Which part (see `FileRef.item`); None is all.

        Raises:
            UnreadableFile: With the reason, for anything broken; never another exception.
            UnsoundGeometry: When slices do not make one volume; names the slice.
        """
        ...

    def extent(self, paths: Sequence[Path], item: str | None = None) -> Extent | None:
        """How large `read` would make it, without reading the values; None where the header does not tell.

        Never smaller: a film that was saved in colour is read as one channel, and only its values say so.

        Raises:
            UnreadableFile: When not even the header can be read.
        """
        ...

    def write(self, image: Image, path: Path, like: Sequence[Path] = ()) -> None:
        """Write an image so that `read` gives it back: voxels, geometry, unit.

        Args:
            image: What to write. Masks have unit `label`; `attributes["labels"]` is then a tuple of `Label`.
            path: File, or folder for a series.
            like: Source files that the output refers to (DICOM SEG).
        """
        ...


def format_of(path: Path, kind: str = "image") -> str | None:
    """Name of the first available format of a kind of input that recognises a file, None where none does."""
    for name, plugin in registry.each("formats"):
        if kind_of(plugin) == kind and plugin.is_available() and plugin.recognises(path):
            return name
    return None


def kind_of(plugin: object) -> str:
    """The kind of input that a format reads: its attribute `kind`, which formats of images need not have."""
    return str(getattr(plugin, "kind", "image"))


def extent(ref: FileRef, root: Path) -> Extent | None:
    """How large what a `FileRef` points to is, without reading its values; None where its header does not tell.

    Raises:
        UnreadableFile: When a file is missing or its header broken.
    """
    found: Extent | None = registry.get("formats", ref.format).extent(_paths(ref, root), ref.item)
    return found


def read(ref: FileRef, root: Path) -> Image:
    """Read what a `FileRef` points to, relative to `root`; with the item `union`, several masks as one.

    Raises:
        UnreadableFile: When a file is missing or broken.
    """
    paths = _paths(ref, root)
    plugin: Format = registry.get("formats", ref.format)
    image = read_union(paths, plugin.read) if ref.item == UNION else plugin.read(paths, ref.item)
    if ref.modality is not None and image.modality == "unknown":
        image = Image(image.array, image.geometry, ref.modality, image.unit, image.attributes, image.history)
    return image


def read_input(ref: FileRef, root: Path) -> Input:
    """Read what a `FileRef` of any kind points to, relative to `root`.

    Raises:
        UnreadableFile: When a file is missing or broken.
    """
    if ref.kind == "image":
        return read(ref, root)
    found: Input = registry.get("formats", ref.format).read(_paths(ref, root), ref.item)
    return found


def _paths(ref: FileRef, root: Path) -> list[Path]:
    paths = [Path(root) / path for path in ref.paths]
    for path in paths:
        if not path.is_file():
            raise UnreadableFile(path, "no such file")
    return paths
