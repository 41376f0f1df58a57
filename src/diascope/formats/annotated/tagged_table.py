"""Tagged tokens in a table with a header: a token and its tag a row, and a column that tells texts apart."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from diascope.core.errors import UnreadableFile

TOKEN = ("token", "tokens", "word", "words", "char", "character", "text", "字", "词", "字符")
TAG = ("tag", "tags", "label", "labels", "ner", "nertag", "nertags", "bio", "biotag", "iob", "标签", "标注")
APART = (
    *("sentence", "sentenceid", "sentid", "sentencenumber", "textid", "doc", "docid", "document", "documentid"),
    *("record", "recordid", "report", "reportid", "note", "noteid", "case", "caseid", "句子", "文档"),
)
PATIENT = ("patient", "patientid", "subject", "subjectid", "患者", "患者编号")
"""Names of columns, in lower case and of letters alone; of tokens and tags the first that is there is meant."""


@dataclass(frozen=True)
class Header:
    """Places of the columns, and the delimiter."""

    names: tuple[str, ...]
    delimiter: str
    token: int
    tag: int
    apart: tuple[int, ...]


Block = tuple[list[tuple[str, str]], Mapping[str, str]]
"""Tokens with their tags, and what the table calls their text."""


def header_of(text: str) -> Header | None:
    """The header of a table of tagged tokens; None where the first line is none."""
    line = text.lstrip("\ufeff").split("\n", 1)[0].strip()
    for delimiter in ("\t", ",", ";"):
        names = tuple(next(csv.reader([line], delimiter=delimiter), ()))
        plain = ["".join(filter(str.isalpha, name.lower())) for name in names]
        token, tag = (next((plain.index(one) for one in some if one in plain), None) for some in (TOKEN, TAG))
        if token is not None and tag is not None:
            apart = tuple(plain.index(one) for one in (*APART, *PATIENT) if one in plain)
            return Header(names, delimiter, token, tag, tuple(one for one in apart if one not in (token, tag)))
    return None


def blocks_of(path: Path, text: str, header: Header) -> Iterator[Block]:
    """The texts of a table, one after the other: a new one begins where its name changes, or behind an empty row.

    Raises:
        UnreadableFile: When a row has no tag; names its line.
    """
    reader = csv.reader(io.StringIO(text.lstrip("\ufeff"), newline=""), delimiter=header.delimiter)
    next(reader)
    block: list[tuple[str, str]] = []
    current = ("",) * len(header.apart)
    for cells in reader:
        name = tuple(cells[place].strip() if place < len(cells) else "" for place in header.apart)
        # Some tables name a text in its first row alone.
        if block and (not any(cells) or (any(name) and name != current)):
            yield block, _fields(header, current)
            block = []
        if not any(cells):
            continue
        current = name if any(name) else current
        if len(cells) <= max(header.token, header.tag) or not cells[header.tag].strip():
            raise UnreadableFile(path, f"line {reader.line_num} has no tag: {cells!r}"[:120], "Write O, B-x or I-x")
        block.append((cells[header.token].strip() or " ", cells[header.tag].strip()))
    if block:
        yield block, _fields(header, current)


def _fields(header: Header, name: Sequence[str]) -> Mapping[str, str]:
    """What tells more than one text: the number of a sentence is not of use to anybody."""
    said = zip(header.apart, name, strict=True)
    first = header.apart[:1]
    return {
        header.names[place]: cell
        for place, cell in said
        if cell and (place not in first or "".join(filter(str.isalpha, header.names[place].lower())) in PATIENT)
    }
