"""Cells of a table as a text: `17/report`, or several columns below each other, each after its name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from diascope.core.errors import BadUsage
from diascope.core.image import Image
from diascope.core.text import Text, language_of
from diascope.formats import Extent
from diascope.formats.files.reading import ends_with, foreign, only
from diascope.formats.tables.kept import SUFFIXES, cells_at


class TextCell:
    """CSV, TSV and Parquet; the item is that of `formats/tables/kept.py`."""

    kind = "text"
    suffixes: tuple[str, ...] = SUFFIXES
    writes: bool = False

    def is_available(self) -> bool:
        return True

    def recognises(self, path: Path) -> bool:
        return ends_with(path, self.suffixes)

    def read(self, paths: Sequence[Path], item: str | None = None) -> Text:
        """The text of one or several cells; empty where all of them are.

        Raises:
            UnreadableFile: When the table cannot be read, or has no such cell.
            MissingPackage: When Parquet is given and the package that reads it is not installed.
        """
        path = only(paths)
        with foreign(path):
            cells = cells_at(path, item)
        plain = joined(cells)
        return Text(plain, language_of(plain))

    def extent(self, paths: Sequence[Path], item: str | None = None) -> Extent | None:
        return None

    def write(self, image: Image, path: Path, like: Sequence[Path] = ()) -> None:
        raise BadUsage("cells of tables are only read", given=path, todo="Write .nii.gz, .nrrd or .png")


def joined(parts: Sequence[tuple[str, str]]) -> str:
    r"""Name and text of each part, those without a text left out; a single column needs no name.

    Example:
        >>> joined([("findings", "Clear lungs."), ("comparison", ""), ("impression", "Normal.")])
        'findings: Clear lungs.\n\nimpression: Normal.'
    """
    if len(parts) == 1:
        return parts[0][1]
    return "\n\n".join(f"{name}: {text}" for name, text in parts if text)


FORMAT = TextCell()
