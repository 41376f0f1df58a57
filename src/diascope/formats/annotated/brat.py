"""Standoff: a text file, and beside it one that lists spans by their characters (brat, https://brat.nlplab.org)."""

from __future__ import annotations

import re
from pathlib import Path

from diascope.core.errors import UnreadableFile
from diascope.formats.annotated.notes import ANNOTATIONS, Note, Span, sound
from diascope.formats.tables.encoding import decoded

MARKED = re.compile(r"(T\S+)\t(\S+) ((?:\d+ \d+)(?:;\d+ \d+)*)(?:\t(.*))?")
"""A line of a text-bound annotation: id, label, places (several where a span has gaps), the words."""


def parsed(path: Path, text: str) -> tuple[Note, ...]:
    """The text of a file, with the spans of the `.ann` file of the same name; None without one.

    Raises:
        UnreadableFile: When a line that marks something is not as the format says; names it.
    """
    if not text.strip():
        raise UnreadableFile(path, "the file is empty", "Fill it in or remove it")
    beside = path.with_suffix(ANNOTATIONS)
    if not beside.is_file():
        return (Note(sound(path, text), None),)
    spans: list[Span] = []
    remarks: list[str] = []
    listed, _ = decoded(beside, beside.read_bytes())
    for number, line in enumerate(listed.splitlines(), start=1):
        if not line.startswith("T"):
            continue  # relations, events and attributes say nothing of places
        found = MARKED.fullmatch(line)
        if found is None:
            raise UnreadableFile(beside, f"line {number} marks no place: {line[:60]!r}")
        ends = [int(place) for place in re.findall(r"\d+", found[3])]
        start, stop = min(ends), max(ends)
        spans.append((start, stop, found[2]))
        if ";" in found[3]:
            remarks.append(f"{found[1]} of {beside.name} has a gap: it is taken from its first character to its last")
        elif found[4] is not None and not _quotes(text, start, stop, found[4]):
            remarks.append(f"{found[1]} of {beside.name} quotes {found[4]!r}, the text has {text[start:stop]!r}")
    return (Note(sound(path, text), tuple(spans), {}, tuple(remarks)),)


def _quotes(text: str, start: int, stop: int, quoted: str) -> bool:
    """Line breaks are quoted as blanks."""
    return " ".join(text[start:stop].split()) == " ".join(quoted.split())
