"""Cells of a table as a sequence: `17/sequence`, or one letter a cell: `17/base_1:base_57`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from diascope.core.errors import BadUsage, DataRefused, UnreadableFile
from diascope.core.image import Image
from diascope.core.sequence import AlphabetName, alphabet_of
from diascope.core.sequence import Sequence as Letters
from diascope.formats import Extent
from diascope.formats.files.reading import ends_with, foreign, only
from diascope.formats.tables.kept import SUFFIXES, cells_at, table_of

LOOKED = 2000
"""Rows whose letters tell the alphabet of a column."""


class SequenceCell:
    """CSV, TSV and Parquet; the item is that of `formats/tables/kept.py`."""

    kind = "sequence"
    suffixes: tuple[str, ...] = SUFFIXES
    writes: bool = False

    def is_available(self) -> bool:
        return True

    def recognises(self, path: Path) -> bool:
        return ends_with(path, self.suffixes)

    def read(self, paths: Sequence[Path], item: str | None = None) -> Letters:
        """The letters of one or several cells, in capitals and without blanks; the column tells the alphabet.

        Raises:
            UnreadableFile: When the table cannot be read, has no such cell, or it holds no sequence; names the row.
            MissingPackage: When Parquet is given and the package that reads it is not installed.
        """
        path = only(paths)
        with foreign(path):
            letters = letters_of("".join(text for _, text in cells_at(path, item)))
            row, _, columns = str(item).partition("/")
            stat = path.stat()
            alphabet = _alphabet(str(path), columns, stat.st_mtime_ns, stat.st_size)
        try:
            return Letters(letters, alphabet)
        except DataRefused as error:
            raise UnreadableFile(path, f"row {row}: {error.wrong} ({error.given or 'empty'})", error.todo) from error

    def extent(self, paths: Sequence[Path], item: str | None = None) -> Extent | None:
        return None

    def write(self, image: Image, path: Path, like: Sequence[Path] = ()) -> None:
        raise BadUsage("cells of tables are only read", given=path, todo="Write .nii.gz, .nrrd or .png")


def letters_of(text: str) -> str:
    """Capitals without blanks."""
    return "".join(text.split()).upper()


@lru_cache(maxsize=8)
def _alphabet(path: str, columns: str, changed: int, size: int) -> AlphabetName:
    """Of the same cells of many rows; the times only tell a new file."""
    counts: Counter[str] = Counter()
    for row in range(1, min(LOOKED, len(table_of(Path(path)).rows)) + 1):
        counts.update(letters_of("".join(text for _, text in cells_at(Path(path), f"{row}/{columns}"))))
    return alphabet_of(counts)


FORMAT = SequenceCell()
