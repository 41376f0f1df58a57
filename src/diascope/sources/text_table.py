"""A table of reports: columns of sentences are the text of each case, other columns its labels (CSV, TSV, Parquet).

A folder with such a table and a second one that labels its rows is read as one; `docs/how-to/texts.md` shows both.
"""

from __future__ import annotations

from pathlib import Path

from diascope.core.errors import DataRefused
from diascope.formats.tables.kept import item_of, table_of
from diascope.sources import Listing, SourceOptions
from diascope.sources.folders.files import reason
from diascope.sources.tables.columns import IDENTITY, plain
from diascope.sources.tables.joined import tables_in
from diascope.sources.tables.written import Written
from diascope.sources.tables.written_cases import Inputs, Place, chosen, list_rows, place_of

INPUT = "text"
"""Name of the input."""


class TextTable:
    """Columns that are joined stand below each other in the order of the table, each after its name."""

    def recognises(self, location: str) -> str | None:
        return reason(location, _why)

    def list(self, location: str, options: SourceOptions) -> Listing:
        """List the rows.

        Raises:
            DataRefused: When there are no rows or no column of reports, or two rows are one case.
            UnknownName: When a column that the user named does not exist.
        """
        place = place_of(Path(location), lambda held: bool(held.texts)) or _as_asked(Path(location), options)
        held = place.held
        asked = tuple(name for name in options.columns if name in table_of(place.main).names)
        texts = asked or chosen([name for name in held.texts if plain(name) not in IDENTITY], options)
        if not texts:
            raise DataRefused(
                f"{place.main} has no column of reports",
                given=", ".join(table_of(place.main).names),
                todo="Reports are cells of sentences; see docs/how-to/texts.md",
            )
        inputs = Inputs(INPUT, (*texts, *held.terms), lambda row: item_of(row, texts), _notes(texts, held))
        return list_rows(place, inputs, options)


def _why(path: Path) -> str | None:
    place = place_of(path, lambda held: held.is_reports)
    return f"{place.main.name} holds reports: {', '.join(place.held.texts)}" if place else None


def _as_asked(path: Path, options: SourceOptions) -> Place:
    """A table in which a release looks for its own columns, whatever they look like (one report, an empty cell).

    Raises:
        DataRefused: When it holds none of them.
    """
    tables = [path] if path.is_file() else tables_in(path) if path.is_dir() else []
    for table in tables:
        if set(options.columns) & set(table_of(table).names):
            return Place(table, Written())
    raise DataRefused(f"{path} holds no reports", given=", ".join(map(str, tables)) or "no table")


def _notes(texts: tuple[str, ...], held: Written) -> tuple[str, ...]:
    joined = f"the columns {', '.join(texts)}, joined in this order" if len(texts) > 1 else f"the column {texts[0]!r}"
    notes = [f"text: {joined}; --without leaves one out"]
    if held.terms:
        words = "not read, because they list terms that somebody gave to the report, and may give the answer away"
        notes.append(f"{words}: {', '.join(held.terms)}")
    return tuple(notes)


SOURCE = TextTable()
