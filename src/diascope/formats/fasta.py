"""FASTA: records of a name and letters; `item` is the name of a record.

Source: Lipman and Pearson 1985, Science 227:1435; as NCBI writes it, https://www.ncbi.nlm.nih.gov/genbank/fastaformat/
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from diascope.core.errors import BadUsage, DataRefused, UnreadableFile
from diascope.core.image import Image
from diascope.core.sequence import Sequence as Letters
from diascope.core.sequence import alphabet_of
from diascope.formats import Extent
from diascope.formats.files.reading import ends_with, foreign, only
from diascope.formats.tables.encoding import text_of

RECORD, COMMENT = ">", ";"
Records = Mapping[str, Letters]


class Fasta:
    """Read whole, once: a wrong letter in any record is a reason not to trust the file."""

    kind = "sequence"
    suffixes: tuple[str, ...] = (".fasta", ".fa", ".fna", ".ffn", ".faa", ".frn", ".fas")
    writes: bool = False

    def is_available(self) -> bool:
        return True

    def recognises(self, path: Path) -> bool:
        return ends_with(path, self.suffixes)

    def read(self, paths: Sequence[Path], item: str | None = None) -> Letters:
        """One record; without an item the only one.

        Raises:
            UnreadableFile: When the file is broken, or there is no such record.
        """
        path = only(paths)
        found = records(path)
        if item is None and len(found) != 1:
            raise UnreadableFile(path, f"it holds {len(found)} records", f"Name one of them: {', '.join(found)}"[:200])
        name = next(iter(found)) if item is None else item
        if name not in found:
            raise UnreadableFile(path, f"there is no record {name!r}; it holds {len(found)}")
        return found[name]

    def extent(self, paths: Sequence[Path], item: str | None = None) -> Extent | None:
        return None

    def write(self, image: Image, path: Path, like: Sequence[Path] = ()) -> None:
        raise BadUsage("FASTA is only read", given=path, todo="Write .nii.gz, .nrrd or .png")


def records(path: Path) -> Records:
    """Name to letters of every record, in the order of the file. The name is the first word after `>`.

    Raises:
        UnreadableFile: When there is none, two have one name, one is empty, or a letter is in no alphabet; names it.
    """
    with foreign(path):
        stat = path.stat()
        found = _kept(str(path), stat.st_mtime_ns, stat.st_size)
    if isinstance(found, UnreadableFile):
        raise found
    return found


@lru_cache(maxsize=2)
def _kept(path: str, changed: int, size: int) -> Records | UnreadableFile:
    """The records, or why there are none; the times only tell a new file."""
    try:
        return _parsed(Path(path))
    except UnreadableFile as error:
        return error


def _parsed(path: Path) -> Records:
    parts = _parts(path)
    counts: Counter[str] = Counter()
    for lines in parts.values():
        counts.update("".join(lines))
    alphabet = alphabet_of(counts)
    found = {}
    for name, lines in parts.items():
        try:
            found[name] = Letters("".join(lines), alphabet)
        except DataRefused as error:
            given = f" ({error.given})" if error.given else ""
            raise UnreadableFile(path, f"record {name!r}: {error.wrong}{given}", error.todo) from error
    return MappingProxyType(found)


def _parts(path: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    current: list[str] | None = None
    for number, line in enumerate(text_of(path).splitlines(), start=1):
        text = line.strip()
        if text.startswith(RECORD):
            name = (text[1:].split() or [""])[0]
            if not name:
                raise UnreadableFile(path, f"the record at line {number} has no name", "Write a name after >")
            if name in found:
                raise UnreadableFile(path, f"two records are called {name!r}, one at line {number}", "Rename one")
            current = found[name] = []
        elif text and not text.startswith(COMMENT):
            if current is None:
                raise UnreadableFile(path, f"line {number} stands before the first record", "FASTA begins with >NAME")
            current.append("".join(text.split()).upper())
    if not found:
        raise UnreadableFile(path, "it holds no record", "FASTA begins with >NAME")
    return found


FORMAT = Fasta()
