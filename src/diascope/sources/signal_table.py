"""A table whose columns are the samples of a signal, one row a case: the UCR archive, beats in a CSV or an ARFF file.

Or a table of several recordings one below the other, with a column of times (see `signals/long.py`). A folder may hold
one table of samples, or a pair that is called `..._TRAIN` and `..._TEST`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from diascope.core.case import Case, FileRef, Split
from diascope.core.errors import DataRefused
from diascope.formats.tables.kept import escaped
from diascope.formats.waveforms.beside import NAME as DECLARED
from diascope.formats.waveforms.numbers import SUFFIXES, numbers_of
from diascope.sources import Listing, SourceOptions
from diascope.sources.folders.files import contents, is_declared, reason, stem_of
from diascope.sources.folders.splits import split_of
from diascope.sources.signals.long import Recordings, channels_of, described, recordings_in
from diascope.sources.signals.running import Samples, samples_in
from diascope.sources.tables.columns import CASE, PATIENT, first_of, plain
from diascope.sources.tables.describe import Rows, describe
from diascope.sources.tables.sheet import Cells

INPUT = "signal"
"""Name of the input."""
FORMAT = "signal_row"


class SignalTable:
    """Names and smoothness tell it from a table of values (see `signals/running.py`)."""

    def recognises(self, location: str) -> str | None:
        return reason(location, _why)

    def list(self, location: str, options: SourceOptions) -> Listing:
        """List the rows.

        Raises:
            DataRefused: When no columns run on as samples do, two tables differ, or two rows are one case.
            UnknownName: When a column that the user named does not exist.
        """
        path = Path(location)
        if (long := recordings_in(path)) is not None:
            return _below_each_other(path, long, options)
        root = path if path.is_dir() else path.parent
        tables = _tables(path)
        if not tables:
            raise DataRefused(
                f"{path} is no table whose columns are samples",
                given="columns that are called alike and count up (s1, s2, ...), or have no names, and run on smoothly",
                todo="See docs/how-to/signals.md; one file a recording is the layout signal_files",
            )
        declared = (DECLARED,) if (root / DECLARED).is_file() else ()
        cases: list[Case] = []
        rows: dict[str, Cells] = {}
        columns: tuple[str, ...] = ()
        notes: list[str] = []
        for split, table, samples in tables:
            if columns and columns != samples.names:
                raise DataRefused(f"the tables in {root} have different columns", given=table.name)
            columns = samples.names
            found, cells = _listed(table, samples, split, declared)
            cases += found
            rows |= cells
            notes.append(f"{table.name}: {samples.why}")
        if not declared:
            notes.append(f"the table does not say how many samples a second it holds: write it into {DECLARED}")
        others = tuple(columns[place] for place in tables[0][2].others)
        used = first_of(others, CASE)
        described = describe(cases, options, Rows(others, rows, frozenset({used} if used else ())))
        return Listing(root=root, cases=described.cases, targets=described.targets, notes=(*notes, *described.notes))


def _below_each_other(path: Path, found: Recordings, options: SourceOptions) -> Listing:
    """The recordings of one table, which stand one below the other.

    Raises:
        DataRefused: When their samples do not come at equal steps.
    """
    if found.uneven:
        raise DataRefused(
            f"{path.name} holds {found.why}; but {found.uneven}",
            todo=f"Resample each {found.key} to equal steps of {found.time!r}; "
            "or read every row as a case of its own: --source table",
        )
    said = described(path, found)
    declared = (DECLARED,) if (path.parent / DECLARED).is_file() else ()
    channels = "/".join(map(escaped, channels_of(path, found)))
    cases = [
        Case(
            id=key,
            patient=key,
            patient_known=False,
            inputs={
                INPUT: FileRef(
                    format="signal_csv",
                    paths=(path.name, *declared),
                    item=f"{escaped(found.key)}/{escaped(key)}/{channels}",
                    kind="signal",
                )
            },
        )
        for key in said
    ]
    rows: dict[str, Cells] = {key: {**cells, found.key: key} for key, cells in said.items()}
    used = frozenset() if plain(found.key) in PATIENT else frozenset({found.key})
    told = describe(cases, options, Rows((found.key, *found.describing), rows, used))
    return Listing(root=path.parent, cases=told.cases, targets=told.targets, notes=(found.why, *told.notes))


def _why(path: Path) -> str | None:
    if (long := recordings_in(path)) is not None:
        return f"{path.name}: {long.why}"
    if path.is_dir() and is_declared(path):
        return None
    tables = _tables(path)
    return f"{tables[0][1].name}: {tables[0][2].why}" if tables else None


def _tables(path: Path) -> list[tuple[Split | None, Path, Samples]]:
    """The table, or those of a folder with the part of the data set that each is."""
    if path.is_file():
        found = samples_in(path)
        return [(None, path, found)] if found else []
    if not path.is_dir():
        return []
    folders, files = contents(path)
    tables = [path / name for name in files if name.lower().endswith(SUFFIXES) and not _is_prose(name)]
    if folders or not 1 <= len(tables) <= len(("train", "val", "test")):
        return []
    parts = [split_of(stem_of(one.name).rpartition("_")[2]) for one in tables]
    if len(tables) > 1 and (None in parts or len(set(parts)) < len(parts)):
        return []
    told = [(part, one, samples_in(one)) for part, one in zip(parts, tables, strict=True)]
    found_all = [(part, one, samples) for part, one, samples in told if samples is not None]
    if len(found_all) < len(tables):
        return []
    # One part alone is all there is: what is called train may be dealt out.
    return [(None, one, samples) for _, one, samples in found_all] if len(tables) == 1 else found_all


def _is_prose(name: str) -> bool:
    return stem_of(name).lower() in ("readme", "license", "licence", "changelog")


def _listed(
    table: Path, samples: Samples, split: Split | None, declared: Sequence[str]
) -> tuple[list[Case], dict[str, Cells]]:
    """The cases of one table, and what its other columns say of each."""
    numbers = numbers_of(table)
    # The cells name columns as they stand in the file; a class without a name is called so here alone.
    spans = "/".join(f"{escaped(numbers.names[first])}:{escaped(numbers.names[last])}" for first, last in samples.spans)
    others = {samples.names[place]: numbers.cells(place) for place in samples.others}
    key = first_of(tuple(others), CASE)
    prefix = f"{split}-" if split else ""
    ids = [(others[key][row] if key else None) or f"{prefix}row-{row + 1}" for row in range(len(numbers.values))]
    if len(set(ids)) < len(ids):
        twice = next(name for name in ids if ids.count(name) > 1)
        raise DataRefused(f"two rows of {table.name} are one case", given=twice, todo=f"Mend the column {key!r}")
    paths = (table.name, *declared)
    cases = [
        Case(
            id=case,
            patient=case,
            patient_known=False,
            split=split,
            inputs={INPUT: FileRef(format=FORMAT, paths=paths, item=f"{row}/{spans}", kind="signal")},
        )
        for row, case in enumerate(ids, 1)
    ]
    cells: dict[str, Cells] = {}
    for row, case in enumerate(ids):
        cells[case] = {name: column[row] for name, column in others.items()}
    return cases, cells


SOURCE = SignalTable()
