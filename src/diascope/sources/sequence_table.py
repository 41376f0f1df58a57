"""A table of sequences: a column of letters (DNA, RNA, protein), or one letter a column; other columns are labels."""

from __future__ import annotations

from pathlib import Path

from diascope.core.errors import DataRefused
from diascope.formats.tables.kept import item_of, span_of, table_of
from diascope.sources import Listing, SourceOptions
from diascope.sources.folders.files import reason
from diascope.sources.tables.written import Written
from diascope.sources.tables.written_cases import Inputs, Place, chosen, list_rows, place_of

INPUT = "sequence"
"""Name of the input."""


class SequenceTable:
    """Of several columns of sequences the first is read, unless the others are left out or named."""

    def recognises(self, location: str) -> str | None:
        return reason(location, _why)

    def list(self, location: str, options: SourceOptions) -> Listing:
        """List the rows.

        Raises:
            DataRefused: When there are no rows or no column of sequences, or two rows are one case.
            UnknownName: When a column that the user named does not exist.
        """
        place = place_of(Path(location), lambda held: held.is_sequences)
        if place is None:
            raise DataRefused(f"{location} holds no sequences", todo="See docs/how-to/sequences.md")
        columns = chosen(place.held.sequences, options)
        if columns:
            inputs = Inputs(INPUT, columns, lambda row: item_of(row, columns[:1]), _notes(columns))
        elif place.held.span is not None:
            first, last = place.held.span
            names = list(table_of(place.main).names)
            between = tuple(names[names.index(first) : names.index(last) + 1])
            words = f"sequence: one letter in each of the columns {first} to {last}"
            inputs = Inputs(INPUT, between, lambda row: span_of(row, first, last), (words,))
        else:
            raise DataRefused(f"every column of sequences in {place.main} was left out")
        return list_rows(place, inputs, options)


def _why(path: Path) -> str | None:
    place: Place | None = place_of(path, lambda held: held.is_sequences)
    return None if place is None else f"{place.main.name} holds sequences: {_what(place.held)}"


def _what(held: Written) -> str:
    return ", ".join(held.sequences) if held.sequences else " to ".join(held.span or ())


def _notes(columns: tuple[str, ...]) -> tuple[str, ...]:
    notes = [f"sequence: the column {columns[0]!r}"]
    if len(columns) > 1:
        notes.append(f"further columns of sequences are not read: {', '.join(columns[1:])}; --without chooses another")
    return tuple(notes)


SOURCE = SequenceTable()
