"""HDF5 with one table, or one a part: DeepSurv's x, t and e, equally long columns, or one matrix."""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diascope.core.errors import MissingPackage, UnreadableFile
from diascope.sources.folders.splits import split_of
from diascope.sources.tables.sheet import Sheet
from diascope.sources.tables.text_cells import Column, column_of, note_on_missing, sheet_of, text_of_value

DEEPSURV = {"x": "x", "t": "time", "e": "event"}
"""Data sets of Katzman et al. 2018 (https://github.com/jaredleekatzman/DeepSurv), in the order of the columns: x1, x2,
..., and what follow-up is called everywhere else."""

SPLIT, GROUP = "split", "group"
"""The column that says from which group a row comes, where there are several: called train, test, ..., or otherwise."""

MOST_NAMED = 8
"""Data sets that an error names."""


@dataclass(frozen=True)
class Part:
    """A table in a file.

    Args:
        name: Of the group; empty at the root.
        sets: Name of the columns to data set; a matrix makes several columns.
    """

    name: str
    sets: dict[str, Any]

    @property
    def columns(self) -> list[str]:
        """Names of the columns: a matrix `x` of three columns makes x1, x2 and x3."""
        names = []
        for name, data in self.sets.items():
            names += [name] if data.ndim == 1 else [f"{name}{number}" for number in range(1, data.shape[1] + 1)]
        return names


def read_hdf5(path: Path) -> Sheet:
    """Read an HDF5 file.

    Raises:
        MissingPackage: Without h5py.
        UnreadableFile: When it is no such file, or holds something else; names what it holds.
    """
    with _opened(path) as (h5py, file):
        parts = _parts(path, h5py, file)
        names, told = parts[0].columns, _column_of_parts(parts)
        lengths = {part.name: len(next(iter(part.sets.values()))) for part in parts}
        by_part = [_texts(h5py, part) for part in parts]
    columns = [[text for column in same for text in column] for same in zip(*by_part, strict=True)]
    if told:
        names = [*names, told]
        columns.append([name for name, length in lengths.items() for _ in range(length)])
    spelt: Counter[str] = Counter()
    cells = [column_of(column, spelt) for column in columns]
    groups = ", ".join(f"{name} ({length})" for name, length in lengths.items() if name)
    notes = [f"groups of {path.name} and their rows: {groups}"] if groups else []
    return sheet_of(path, names, cells, [*notes, *note_on_missing(path, spelt)])


def names_of_hdf5(path: Path) -> tuple[str, ...]:
    """Names of the columns, without their values.

    Raises:
        MissingPackage: Without h5py.
        UnreadableFile: When it is no such table.
    """
    with _opened(path) as (h5py, file):
        parts = _parts(path, h5py, file)
        told = _column_of_parts(parts)
        return (*parts[0].columns, *([told] if told else []))


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """The package h5py and the open file; whatever goes wrong while it is open is the file's fault."""
    try:
        h5py = importlib.import_module("h5py")
    except ImportError as error:
        raise MissingPackage("h5py", "tables", "an HDF5 table") from error
    try:
        with h5py.File(path, "r") as file:
            yield h5py, file
    except (OSError, RuntimeError, KeyError, UnicodeDecodeError) as error:
        raise UnreadableFile(path, str(error)) from error


def _parts(path: Path, h5py: Any, file: Any) -> list[Part]:
    """The table at the root, or one in each group.

    Raises:
        UnreadableFile: When there is anything else, or the groups have not the same columns.
    """
    root = _members(h5py, file)
    if root and all(isinstance(one, h5py.Group) for one in root.values()):
        tables = {name: _members(h5py, group) for name, group in root.items()}
    else:
        tables = {"": root}
    if not all(_is_table(h5py, table) for table in tables.values()):
        raise _other(path, h5py, file)
    parts = [Part(name, _ordered(table)) for name, table in tables.items()]
    if any(part.columns != parts[0].columns for part in parts):
        raise _other(path, h5py, file)
    return parts


def _members(h5py: Any, group: Any) -> dict[str, Any]:
    """What lies in a group, by name; None for a link, which may point into any other file of the computer."""
    hard = {name: isinstance(group.get(name, getlink=True), h5py.HardLink) for name in group}
    return {name: group[name] if here else None for name, here in hard.items()}


def _is_table(h5py: Any, members: dict[str, Any]) -> bool:
    """Whether all are columns of one length, or one is a matrix with as many rows."""
    if not members or not all(_fits(h5py, one) for one in members.values()):
        return False
    matrices = sum(one.ndim == 2 for one in members.values())
    return matrices <= 1 and len({len(one) for one in members.values()}) == 1


def _ordered(sets: dict[str, Any]) -> dict[str, Any]:
    if set(sets) == set(DEEPSURV):
        return {name: sets[key] for key, name in DEEPSURV.items()}
    return sets


def _fits(h5py: Any, data: Any) -> bool:
    """Whether an object is a column or a matrix of numbers or texts, and lies in this file."""
    if not isinstance(data, h5py.Dataset) or data.ndim not in (1, 2) or data.external or data.is_virtual:
        return False
    return data.dtype.kind in "biuf" or h5py.check_string_dtype(data.dtype) is not None


def _texts(h5py: Any, part: Part) -> list[Column]:
    """The cells of a part, a list a column."""
    columns: list[Column] = []
    for data in part.sets.values():
        values = (data if h5py.check_string_dtype(data.dtype) is None else data.asstr())[()]
        for column in [values] if values.ndim == 1 else values.T:
            columns.append([text_of_value(value) for value in column.tolist()])
    return columns


def _column_of_parts(parts: Sequence[Part]) -> str:
    """Name of the column that says where a row comes from; empty for a single part."""
    if len(parts) == 1:
        return ""
    return SPLIT if all(split_of(part.name) is not None for part in parts) else GROUP


def _other(path: Path, h5py: Any, file: Any) -> UnreadableFile:
    """The error that names what is in a file."""
    found: list[str] = []

    def note(name: str, one: Any) -> None:
        found.append(f"{name} {one.shape} {one.dtype}" if isinstance(one, h5py.Dataset) else f"{name}/")

    file.visititems(note)
    listed = ", ".join(found[:MOST_NAMED]) + (", ..." if len(found) > MOST_NAMED else "")
    return UnreadableFile(
        path,
        f"it is no table; it holds {listed or 'nothing of its own'}",
        "Give data sets of one length (x, t and e of DeepSurv, or one a column), or save the table as CSV or Parquet",
    )
