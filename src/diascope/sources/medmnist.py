"""A MedMNIST file: `.npz` with `train_images`, `train_labels`, and the same for `val`, `test`; any may be absent."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from diascope.core.case import Case, FileRef, Scalar, Split, Target
from diascope.core.errors import DataRefused, UnreadableFile
from diascope.sources import Listing, SourceOptions
from diascope.sources.folders.files import contents, reason
from diascope.sources.tables.describe import describe
from diascope.sources.tables.targets import category

PARTS: tuple[Split, ...] = ("train", "val", "test")


class MedMnist:
    """Pictures (N, Y, X) or (N, Y, X, 3), or volumes (N, Z, Y, X), in one archive."""

    def recognises(self, location: str) -> str | None:
        return reason(location, _why)

    def list(self, location: str, options: SourceOptions) -> Listing:
        """List every picture; only labels are read.

        Raises:
            DataRefused: When there are no pictures, or their number is not that of the labels.
            UnreadableFile: When the archive is broken.
            UnknownName: When the user named a column: the archive has none.
        """
        path = _archive(Path(location))
        if path is None:
            raise DataRefused("no .npz file", given=location, todo="Point to the file")
        shapes = _shapes(path)
        cases: list[Case] = []
        labelled = {part: _labels(path, part, shapes) for part in PARTS if f"{part}_images" in shapes}
        width = max((labels.shape[1] for labels in labelled.values() if labels is not None), default=0)
        names = ["label"] if width == 1 else [f"label_{column}" for column in range(width)]
        for part, labels in labelled.items():
            cases += _cases(path.name, part, shapes[f"{part}_images"][0], labels, names)
        if not cases:
            raise DataRefused(f"{path} holds no pictures", given=", ".join(shapes), todo="See docs/how-to/layouts.md")
        targets = [_target(cases, name) for name in names]
        described = describe(cases, options, targets=targets)
        counts = ", ".join(f"{part} {shapes[f'{part}_images']}" for part in labelled)
        notes = (f"{path.name}: {counts}; the file names no classes, so they are called by their number",)
        return Listing(
            root=path.parent, cases=described.cases, targets=described.targets, notes=(*notes, *described.notes)
        )


def _archive(path: Path) -> Path | None:
    """The archive: the location itself, or the one file of a folder."""
    if path.is_dir():
        folders, files = contents(path)
        archives = [name for name in files if name.lower().endswith(".npz")]
        return path / archives[0] if len(archives) == 1 and not folders else None
    return path if path.name.lower().endswith(".npz") else None


def _why(location: Path) -> str | None:
    path = _archive(location)
    if path is None:
        return None
    parts = [part for part in PARTS if f"{part}_images" in _shapes(path)]
    return f"{path.name} holds {', '.join(f'{part}_images' for part in parts)}" if parts else None


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Shape of every array, from the headers."""
    shapes = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                with archive.open(name) as stream:
                    version = np.lib.format.read_magic(stream)
                    read = (
                        np.lib.format.read_array_header_1_0
                        if version == (1, 0)
                        else np.lib.format.read_array_header_2_0
                    )
                    shapes[name.removesuffix(".npy")] = read(stream)[0]
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise UnreadableFile(path, f"no .npz archive ({error})") from error
    return shapes


def _labels(path: Path, part: str, shapes: dict[str, tuple[int, ...]]) -> npt.NDArray[np.int64] | None:
    """(N, K) labels of a part, None where it has none."""
    name = f"{part}_labels"
    if name not in shapes:
        return None
    count = shapes[f"{part}_images"][0]
    if not shapes[name] or shapes[name][0] != count or len(shapes[name]) > 2:
        raise DataRefused(
            f"{part} has {count} pictures, and labels of the shape {shapes[name]}", todo=f"Replace {path.name}"
        )
    try:
        with np.load(path, allow_pickle=False) as archive:
            labels = archive[name]
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise UnreadableFile(path, f"{name}: {error}") from error
    if not np.issubdtype(labels.dtype, np.integer):
        raise DataRefused(
            f"{name} holds {labels.dtype}, not whole numbers", given=path, todo="Store classes as integers"
        )
    table: npt.NDArray[np.int64] = labels.astype(np.int64).reshape(count, -1)
    return table


def _cases(file: str, part: Split, count: int, labels: npt.NDArray[np.int64] | None, names: list[str]) -> list[Case]:
    answers: list[dict[str, Scalar]] = (
        [dict.fromkeys(names)] * count
        if labels is None
        else [dict(zip(names, map(str, row), strict=True)) for row in labels.tolist()]
    )
    return [
        Case(
            id=f"{part}/{index:05d}",
            patient=f"{part}/{index:05d}",
            patient_known=False,
            inputs={"image": FileRef(format="npz", paths=(file,), item=f"{part}_images:{index}")},
            targets=dict(answer),
            split=part,
        )
        for index, answer in enumerate(answers)
    ]


def _target(cases: list[Case], name: str) -> Target:
    return category(name, (None if (value := case.targets[name]) is None else str(value) for case in cases))


SOURCE = MedMnist()
