"""A folder of texts with standoff files: `7.txt` is the text, `7.ann` lists its spans (brat)."""

from __future__ import annotations

from pathlib import Path

from diascope.formats.annotated.brat import parsed
from diascope.formats.annotated.notes import ANNOTATIONS, notes_of
from diascope.sources import Listing, SourceOptions
from diascope.sources.annotated.files import files_of
from diascope.sources.annotated.listing import Listed, listing, named
from diascope.sources.folders.files import reason

FORMAT = "brat"
SUFFIXES = (".txt",)


class Brat:
    """A text without such a file has no label; folders called as parts of a data set are these parts."""

    def recognises(self, location: str) -> str | None:
        return reason(location, _why)

    def list(self, location: str, options: SourceOptions) -> Listing:
        """List the texts.

        Raises:
            DataRefused: When a file cannot be read, or nothing is marked.
            UnknownName: When a column that the user named does not exist.
        """
        root, files = files_of(Path(location), SUFFIXES, _is_text)
        if not any(_is_marked(root / path) for path, _ in files):
            files = []
        found = [Listed(named(path, 1, 1), path, 1, notes_of(root / path, parsed)[0], split) for path, split in files]
        return listing(root, FORMAT, found, options)


def _is_text(path: Path) -> bool:
    return path.is_file()


def _is_marked(path: Path) -> bool:
    return path.with_suffix(ANNOTATIONS).is_file()


def _why(path: Path) -> str | None:
    root, files = files_of(path, SUFFIXES, _is_text)
    marked = [name for name, _ in files if _is_marked(root / name)]
    return f"texts with spans beside them, such as {marked[0]}" if marked else None


SOURCE = Brat()
