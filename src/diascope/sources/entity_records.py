"""Records with a text and its entities as JSON, one a line or a list of them: CCKS, CMeEE, doccano.

A file or a folder of files; those called as parts of a data set (`..._test_...`) are these parts.
"""

from __future__ import annotations

from pathlib import Path

from diascope.formats.annotated.json_lines import holds_text, is_annotated, parsed
from diascope.formats.annotated.notes import notes_of
from diascope.sources import Listing, SourceOptions
from diascope.sources.annotated.files import files_of, head
from diascope.sources.annotated.listing import Listed, listing, named
from diascope.sources.folders.files import reason

SUFFIXES = (".json", ".jsonl", ".ndjson", ".txt")
FORMAT = "json_lines"


class EntityRecords:
    """Positions count characters from 0; what else a record says describes the case."""

    def recognises(self, location: str) -> str | None:
        return reason(location, _why)

    def list(self, location: str, options: SourceOptions) -> Listing:
        """List the records; of those that a release is to read nobody need have marked anything.

        Raises:
            DataRefused: When a file cannot be read, or none holds such records.
            UnknownName: When a column that the user named does not exist.
        """
        root, files = files_of(Path(location), SUFFIXES, _is_text)
        found = []
        for path, split in files:
            notes = notes_of(root / path, parsed)
            found += [Listed(named(path, n, len(notes)), path, n, note, split) for n, note in enumerate(notes, start=1)]
        return listing(root, FORMAT, found, options)


def _is_text(path: Path) -> bool:
    return holds_text(head(path))


def _is_one(path: Path) -> bool:
    return is_annotated(head(path))


def _why(path: Path) -> str | None:
    _, files = files_of(path, SUFFIXES, _is_one)
    return f"records with a text and its entities in {', '.join(name for name, _ in files[:3])}" if files else None


SOURCE = EntityRecords()
