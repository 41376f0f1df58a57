"""Tagged tokens: one character or word and its tag a line, an empty line between texts (CoNLL, BIO, BIOES, BMES).

The text is made of the tokens: characters stand beside each other, words with a blank between them.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from diascope.core.errors import UnreadableFile
from diascope.formats.annotated.notes import Note, Span, sound
from diascope.formats.annotated.tagged_table import Header, blocks_of, header_of

TAG = re.compile(r"(?:O|[BIESMLU][-_].+)")
OUTSIDE = "O"
BEGINS, ENDS = "BSU", "ESLU"
"""First letters of tags at which a span begins, and ends: S and U are spans of one token."""
BOUNDARY = "-DOCSTART-"
"""A token that some files put between documents."""
LINES = 60
"""Lines by which a file is told."""


def parsed(path: Path, text: str) -> tuple[Note, ...]:
    """Every text of a file.

    Raises:
        UnreadableFile: When a line has no tag; names it.
    """
    header = header_of(text)
    told = list(blocks_of(path, text, header) if header else ((block, {}) for block in _blocks(path, text)))
    blocks = [block for block, _ in told]
    if not blocks:
        raise UnreadableFile(path, "it holds no tagged token", "Write a character and its tag on each line")
    # One rule for the whole file: a Chinese one may hold words of Latin letters, and an English one words of a letter.
    letters = sum(len(token) == 1 for block in blocks for token, _ in block)
    between = "" if 2 * letters > sum(len(block) for block in blocks) else " "
    return tuple(_note(path, block, between, fields) for block, fields in told)


def is_tagged(head: str) -> bool:
    """Whether the start of a file is that of tagged tokens."""
    if (header := header_of(head)) is not None:
        return _is_tagged_table(head[: head.rfind("\n") + 1], header)
    lines = [line.rstrip("\r") for line in head.lstrip("\ufeff").split("\n")[:LINES]]
    rows = [columns for line in lines[:-1] if line.strip() for columns in [_columns(line)] if columns is not None]
    filled = sum(bool(line.strip()) for line in lines[:-1])
    return len(rows) >= 2 and len(rows) == filled and any(tag != OUTSIDE for _, tag in rows)


def _is_tagged_table(head: str, header: Header) -> bool:
    try:
        tags = {tag for block, _ in blocks_of(Path(), head, header) for _, tag in block}
    except (UnreadableFile, csv.Error):
        return False
    return OUTSIDE in tags and len(tags) > 1 and all(TAG.fullmatch(tag) for tag in tags)


def _blocks(path: Path, text: str) -> Iterator[list[tuple[str, str]]]:
    block: list[tuple[str, str]] = []
    for number, line in enumerate(text.lstrip("\ufeff").split("\n"), start=1):
        line = line.rstrip("\r")
        columns = _columns(line) if line.strip() else None
        if columns is None and line.strip():
            raise UnreadableFile(path, f"line {number} has no tag: {line[:40]!r}", "Write a token and O, B-x or I-x")
        if columns is not None and columns[0] != BOUNDARY:
            block.append(columns)
        elif block:
            yield block
            block = []
    if block:
        yield block


def _columns(line: str) -> tuple[str, str] | None:
    """Token and tag: the first and the last column; None where the last is no tag."""
    cells = line.split("\t") if "\t" in line else line.rsplit(" ", 1) if line.startswith(" ") else line.split()
    if len(cells) < 2 and "," in line:
        cells = [cell.strip('"') for cell in line.rsplit(",", 1)]
    tag = cells[-1].strip()
    if len(cells) < 2 or not TAG.fullmatch(tag):
        return None
    return (cells[0].strip() or " "), tag


def _note(path: Path, block: Sequence[tuple[str, str]], between: str, fields: Mapping[str, str]) -> Note:
    spans: list[Span] = []
    text, start, opened, stray = "", 0, "", 0
    for token, tag in block:
        place = len(text) + (len(between) if text else 0)
        kind, label = tag[0], tag[2:]
        if opened and (tag == OUTSIDE or kind in BEGINS or label != opened):
            spans.append((start, len(text), opened))
            opened = ""
        if tag != OUTSIDE and not opened:
            stray += kind not in BEGINS
            start, opened = place, label
        text = f"{text}{between}{token}" if text else token
        if opened and kind in ENDS:
            spans.append((start, len(text), opened))
            opened = ""
    if opened:
        spans.append((start, len(text), opened))
    remarks = (f"{stray} spans of {path.name} begin without a B or S",) if stray else ()
    return Note(sound(path, text), tuple(spans), fields, remarks)
