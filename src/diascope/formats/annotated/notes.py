"""Texts with what is marked in them, as a file holds them; each file is read once and kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from diascope.core.errors import UnreadableFile
from diascope.core.text import Text, language_of
from diascope.formats.files.reading import foreign, only
from diascope.formats.tables.encoding import decoded

KEPT = 4
"""Files that a process keeps: a data set often has a few, each with hundreds of texts."""

ANNOTATIONS = ".ann"
"""Ending of the file beside a text that lists its spans, where there is one."""

Span = tuple[int, int, str]
"""Start, stop (half-open, in characters) and label."""


@dataclass(frozen=True)
class Note:
    """One text.

    Args:
        text: As the file holds it, to the character: the spans count in it.
        spans: What is marked, as it stands there; None where the file says nothing about this text.
        fields: What else the file says, as text.
        remarks: What was read otherwise than it stands there.
    """

    text: str
    spans: tuple[Span, ...] | None
    fields: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


Parse = Callable[[Path, str], tuple[Note, ...]]


def notes_of(path: Path, parse: Parse) -> tuple[Note, ...]:
    """All texts of a file, kept as long as it stays as it is.

    Raises:
        UnreadableFile: When it cannot be read; says where.
    """
    try:
        files = [path, *(beside for beside in [path.with_suffix(ANNOTATIONS)] if beside.is_file())]
        stamps = tuple((stat.st_mtime_ns, stat.st_size) for stat in (one.stat() for one in files))
    except OSError as error:
        raise UnreadableFile(path, str(error.strerror)) from error
    found = _kept(str(path), stamps, parse)
    if isinstance(found, UnreadableFile):
        raise found
    return found


def text_at(paths: tuple[Path, ...] | list[Path], item: str | None, parse: Parse) -> Text:
    """The text that an item (its number, the first is 1) of a file names.

    Raises:
        UnreadableFile: When the file cannot be read or has no such text.
    """
    path = only(list(paths))
    with foreign(path):
        notes = notes_of(path, parse)
    if item is None or not item.isdecimal() or not 1 <= int(item) <= len(notes):
        raise UnreadableFile(path, f"there is no item {item!r}", f"Name a text by its number, 1 to {len(notes)}")
    text = notes[int(item) - 1].text
    return Text(text, language_of(text))


def sound(path: Path, text: str) -> str:
    """The text; one is refused that holds what no text is made of.

    Raises:
        UnreadableFile: When it holds zero characters, which stand for what lies behind the end, or halves of pairs
            (an escape alone in JSON), which cannot be written again.
    """
    if "\0" in text:
        raise UnreadableFile(path, "a text holds zero characters", "Remove them")
    if any("\ud800" <= one <= "\udfff" for one in text):
        raise UnreadableFile(path, "a text holds halves of surrogate pairs", "Write it in UTF-8")
    return text


@lru_cache(maxsize=KEPT)
def _kept(path: str, stamps: tuple[tuple[int, int], ...], parse: Parse) -> tuple[Note, ...] | UnreadableFile:
    """The texts, or why they cannot be read: each of its thousand items would ask anew."""
    place = Path(path)
    try:
        with foreign(place):
            text, _ = decoded(place, place.read_bytes())
            return parse(place, text)
    except UnreadableFile as error:
        return error
