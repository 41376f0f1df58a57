"""A MedMNIST file: `.npz` with `train_images`, `train_labels`, and the same for `val`, `test`; any may be absent.

Classes are numbers there. A `labels.json` beside the file (`{"0": "normal", "1": "pneumonia"}`) names them. Several
columns of 0 and 1 are labels that are learnt together.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from diascope.core.case import Case, FileRef, Label, Scalar, Split, Target
from diascope.core.errors import DataRefused, UnreadableFile
from diascope.formats.files.reading import foreign
from diascope.sources import Listing, SourceOptions
from diascope.sources.folders.files import contents, is_declared, reason
from diascope.sources.folders.named import LABELS, read_named
from diascope.sources.tables.describe import describe
from diascope.sources.tables.findings import columns_asked, target_of
from diascope.sources.tables.targets import category, positive_of

PARTS: tuple[Split, ...] = ("train", "val", "test")
IMAGES = tuple(f"{part}_images" for part in PARTS)
"""Names of the arrays of pictures."""
WORDS = (".json", ".md", ".txt")
"""Endings of files that hold neither images nor a table."""
Shape = tuple[int, ...]


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
        labelled = {part: _labels(path, part, shapes) for part in _parts(shapes, path)}
        width = max((labels.shape[1] for labels in labelled.values() if labels is not None), default=0)
        named = read_named(path.parent)
        names = _columns(width, named, path)
        together = _together(labelled.values(), names, options.target)
        classes = named if width == 1 else {}
        for part, labels in labelled.items():
            count = shapes[f"{part}_images"][0]
            answers = _answers(labels, count, names, classes, path)
            cases += _cases(part, path.name, answers if together is None else _presences(answers, together))
        targets = [_target(cases, name, classes) for name in names] if together is None else [together]
        if together is not None:
            options = options.model_copy(update={"target": together.name})
        described = describe(cases, options, targets=targets)
        counts = ", ".join(f"{part} {shapes[f'{part}_images']}" for part in PARTS if f"{part}_images" in shapes)
        called = f"named by {LABELS}" if named else f"called by their number; {LABELS} beside it may name them"
        notes = (f"{path.name}: {counts}; classes are {called}",)
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
    try:
        shapes = _shapes(path)
    except UnreadableFile:
        shapes = {}
    if held := [name for name in IMAGES if name in shapes]:
        return f"{path.name} holds {', '.join(held)}"
    # `list` says what is wrong with it. Beside a table or other images it may be the image of one case, or a stray.
    return f"{path.name} is a .npz archive" if not location.is_dir() or _is_alone(path) else None


def _is_alone(path: Path) -> bool:
    """Whether only words lie beside an archive."""
    others = (name for name in contents(path.parent)[1] if name != path.name)
    return not is_declared(path.parent) and all(name.lower().endswith(WORDS) for name in others)


def _shapes(path: Path) -> dict[str, Shape]:
    """Shape of every array, from the headers."""
    shapes = {}
    try:
        with foreign(path), zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                with archive.open(name) as stream:
                    version = np.lib.format.read_magic(stream)
                    read = (
                        np.lib.format.read_array_header_1_0
                        if version == (1, 0)
                        else np.lib.format.read_array_header_2_0
                    )
                    shapes[name.removesuffix(".npy")] = read(stream)[0]
    except UnreadableFile as error:
        raise UnreadableFile(path, f"no .npz archive, or a broken one ({error.reason})") from error
    return shapes


def _parts(shapes: Mapping[str, Shape], path: Path) -> list[Split]:
    """The parts that have pictures: one of length 0 is as good as absent.

    Raises:
        DataRefused: When there is none.
    """
    parts: list[Split] = [part for part in PARTS if any(shapes.get(f"{part}_images", ())[:1])]
    if not parts:
        held = ", ".join(f"{name} {shape}" for name, shape in shapes.items()) or "nothing"
        raise DataRefused(
            f"{path} holds no pictures where MedMNIST has them",
            given=f"it holds {held}; needs {' or '.join(IMAGES)}",
            todo="Rename the arrays, or list the files in a CSV manifest: see docs/how-to/layouts.md",
        )
    return parts


def _labels(path: Path, part: str, shapes: Mapping[str, Shape]) -> npt.NDArray[np.int64] | None:
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
        with foreign(path), np.load(path, allow_pickle=False) as archive:
            labels = archive[name]
    except UnreadableFile as error:
        raise UnreadableFile(path, f"{name}: {error.reason}") from error
    if not np.issubdtype(labels.dtype, np.integer):
        raise DataRefused(
            f"{name} holds {labels.dtype}, not whole numbers", given=path, todo="Store classes as integers"
        )
    table: npt.NDArray[np.int64] = labels.astype(np.int64).reshape(count, -1)
    return table


def _columns(width: int, named: Mapping[int, str], path: Path) -> list[str]:
    """Names of the targets: one is `label`; several are called by their number, or as the file of labels says."""
    if width == 1:
        return ["label"]
    if not named:
        return [f"label_{column}" for column in range(width)]
    if sorted(named) != list(range(width)) or len(set(named.values())) < width:
        raise DataRefused(
            f"{path.name} has {width} columns of labels, and {LABELS} beside it names others",
            given=", ".join(f"{number}: {name}" for number, name in named.items()),
            todo=f"Give each of 0 to {width - 1} a name of its own",
        )
    return [named[column] for column in range(width)]


def _together(parts: Iterable[npt.NDArray[np.int64] | None], names: Sequence[str], asked: str | None) -> Target | None:
    """The columns that are learnt together: those asked for, else all where each says 0 or 1; None for one alone.

    Raises:
        DataRefused: When a column that was asked for says something else.
    """
    named = columns_asked(asked, names)
    whole = target_of(named or names, names)
    places = [names.index(name) for name in whole.columns]
    binary = all(np.isin(labels[:, places], (0, 1)).all() for labels in parts if labels is not None)
    if named and not binary:
        raise DataRefused("columns that are learnt together hold 0 and 1 alone", given=asked, todo="Choose one of them")
    meant = named or (len(names) > 1 and binary and asked in (None, whole.name))
    return whole if meant else None


def _presences(answers: Sequence[Mapping[str, Scalar]], target: Target) -> list[dict[str, Scalar]]:
    """The answers as 1 and 0, of the columns that are learnt together."""
    return [
        {name: None if (value := answer[name]) is None else int(str(value)) for name in target.columns}
        for answer in answers
    ]


def _answers(
    labels: npt.NDArray[np.int64] | None, count: int, names: list[str], classes: Mapping[int, str], path: Path
) -> list[dict[str, Scalar]]:
    """Target to class, for each picture of a part."""
    if labels is None:
        return [dict.fromkeys(names) for _ in range(count)]
    unknown = sorted(set(np.unique(labels).tolist()) - set(classes)) if classes else []
    if unknown:
        raise DataRefused(
            f"{path.name} holds the labels {', '.join(map(str, unknown))}, which {LABELS} beside it does not name",
            given=", ".join(f"{number}: {name}" for number, name in classes.items()),
            todo=f"Complete {LABELS}, or remove it to call classes by their number",
        )
    rows = labels.tolist()
    return [
        {name: classes[value] if classes else str(value) for name, value in zip(names, row, strict=True)}
        for row in rows
    ]


def _cases(part: Split, file: str, answers: list[dict[str, Scalar]]) -> list[Case]:
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


def _target(cases: list[Case], name: str, classes: Mapping[int, str]) -> Target:
    """Classes in the order of their numbers, so that of two without a telling name the finding is still number 1."""
    found = {str(value) for case in cases if (value := case.targets[name]) is not None}
    if not classes:
        return category(name, found)
    names = [classes[number] for number in sorted(classes) if classes[number] in found]
    labels = tuple(Label(name=one, value=index) for index, one in enumerate(names))
    return Target(name=name, kind="category", columns=(name,), labels=labels, positive=positive_of(names))


SOURCE = MedMnist()
