"""Tagged tokens: one character (or word) and its tag a line, an empty line between texts (CoNLL, BIO, BIOES, BMES).

Or a table with a header: a token, its tag and a column that tells texts apart (`sentence`, `doc_id`).

A file or a folder of files; those called as parts of a data set (`train.conll`, `test.conll`) are these parts.
"""

from __future__ import annotations

from pathlib import Path

from diascope.formats.annotated.bio import is_tagged, parsed
from diascope.formats.annotated.notes import notes_of
from diascope.sources import Listing, SourceOptions
from diascope.sources.annotated.files import files_of, head
from diascope.sources.annotated.listing import Listed, listing, named
from diascope.sources.folders.files import reason

SUFFIXES = (".conll", ".bio", ".bioes", ".bmes", ".iob", ".txt", ".tsv", ".csv")
FORMAT = "bio"


class TaggedTokens:
    """Each block of lines is a text, and a case."""

    def recognises(self, location: str) -> str | None:
        return reason(location, _why)

    def list(self, location: str, options: SourceOptions) -> Listing:
        """List the blocks.

        Raises:
            DataRefused: When a line has no tag, or nothing is marked.
            UnknownName: When a column that the user named does not exist.
        """
        root, files = files_of(Path(location), SUFFIXES, _is_one)
        found = []
        for path, split in files:
            notes = notes_of(root / path, parsed)
            found += [Listed(named(path, n, len(notes)), path, n, note, split) for n, note in enumerate(notes, start=1)]
        return listing(root, FORMAT, found, options)


def _is_one(path: Path) -> bool:
    return is_tagged(head(path))


def _why(path: Path) -> str | None:
    _, files = files_of(path, SUFFIXES, _is_one)
    return f"tagged tokens in {', '.join(name for name, _ in files[:3])}" if files else None


SOURCE = TaggedTokens()
