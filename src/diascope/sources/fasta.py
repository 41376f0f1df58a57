"""FASTA: one case a record; a table in the same folder says what each is."""

from __future__ import annotations

from pathlib import Path

from diascope.core.case import Case, FileRef
from diascope.core.errors import DataRefused
from diascope.formats.fasta import FORMAT, records
from diascope.sources import Listing, SourceOptions
from diascope.sources.folders.files import contents, is_declared, reason
from diascope.sources.folders.told import list_told, table_in
from diascope.sources.tables.describe import describe

INPUT = "sequence"
"""Name of the input."""


class FastaSource:
    """One file of records, alone or in a folder with a table; of several files the records need names of their own."""

    def recognises(self, location: str) -> str | None:
        return reason(location, _why)

    def list(self, location: str, options: SourceOptions) -> Listing:
        """List the records.

        Raises:
            DataRefused: When there are none, or two files have records of one name.
            UnreadableFile: When a file is broken; names the record.
            UnknownName: When a column that the user named does not exist.
        """
        path = Path(location)
        root = path.parent if path.is_file() else path
        names = [path.name] if path.is_file() else _files(path) if path.is_dir() else []
        if not names:
            raise DataRefused(f"there is no FASTA file in {location}", todo="See docs/how-to/sequences.md")
        cases: dict[str, Case] = {}
        for name in names:
            for record in records(root / name):
                if record in cases:
                    raise DataRefused(
                        f"two FASTA files have a record {record!r}", given=name, todo="Rename one of them"
                    )
                ref = FileRef(format="fasta", paths=(name,), item=record, kind="sequence")
                cases[record] = Case(id=record, patient=record, patient_known=False, inputs={INPUT: ref})
        if path.is_file():
            described = describe(list(cases.values()), options)
            return Listing(root=root, cases=described.cases, targets=described.targets, notes=described.notes)
        return list_told(root, list(cases.values()), {name: name for name in cases}, "records", options)


def _why(path: Path) -> str | None:
    if path.is_file():
        return f"{path.name} is FASTA" if FORMAT.recognises(path) else None
    files = [] if is_declared(path) else _files(path)
    if not files:
        return None
    table = table_in(path)
    return f"{', '.join(files[:3])}" + (f" and the table {table.name}" if table else "")


def _files(root: Path) -> list[str]:
    return [name for name in contents(root)[1] if FORMAT.recognises(Path(name))]


SOURCE = FastaSource()
