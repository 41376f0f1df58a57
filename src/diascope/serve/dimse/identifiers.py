"""Data sets of queries: foreign ones are read in the decoder child, our own are encoded here, in UTF-8."""

from __future__ import annotations

import os
import struct
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword

from diascope.core.errors import UnreadableFile
from diascope.formats.dicomio.decoder import Decoder
from diascope.serve.dimse import commands

UTF8 = "ISO_IR 192"

NO_CLASS = "1.2.840.10008.5.1.4.1.2.2.1"
"""What the file of an identifier says that it is."""

LONG = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"))
"""Value representations with a length of 32 bits in explicit VR (PS3.5 7.1.2)."""

NUMBERS = {"US": "<H", "UL": "<L", "SS": "<h", "SL": "<l", "FL": "<f", "FD": "<d"}

Item = dict[str, "tuple[str, ...] | list[Item]"]
"""Keyword to values; the items of a sequence are such dictionaries."""


def read(decoder: Decoder, encoded: bytes, syntax: str) -> Item:
    """The elements of a foreign data set.

    Args:
        decoder: Its child parses them.
        encoded: Without a file header.
        syntax: Transfer syntax.

    Raises:
        UnreadableFile: When it can't be parsed.
    """
    handle, name = tempfile.mkstemp(prefix="identifier-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(commands.file_header(NO_CLASS, "1.2.3", syntax) + encoded)
        (found,) = decoder.json([Path(name)])
    finally:
        Path(name).unlink()
    return _item(found)


def _item(found: Mapping[str, Any]) -> Item:
    item: Item = {}
    for tag, element in found.items():
        keyword = keyword_for_tag(int(tag, 16))
        if not keyword or int(tag, 16) >> 16 == 2:
            continue
        values = element.get("Value", [])
        if element.get("vr") == "SQ":
            item[keyword] = [_item(value) for value in values]
        else:
            item[keyword] = tuple(_text(value) for value in values)
    return item


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Mapping):  # a person's name
        groups = [str(value.get(group, "")) for group in ("Alphabetic", "Ideographic", "Phonetic")]
        return "=".join(groups).rstrip("=")
    return str(value)


def texts(item: Item, keyword: str) -> tuple[str, ...]:
    """Values of an element; none where it is absent, empty or a sequence."""
    found = item.get(keyword, ())
    return tuple(value for value in found if value) if isinstance(found, tuple) else ()


def text(item: Item, keyword: str) -> str:
    """Values of an element as one text."""
    return "\\".join(texts(item, keyword))


def encoded(item: Mapping[str, Any], syntax_is_implicit: bool) -> bytes:
    """A data set of ours.

    Args:
        item: Keyword to text, number, several of them, or items of a sequence; an unknown keyword raises.
        syntax_is_implicit: Implicit VR; else explicit; both little endian.

    Raises:
        UnreadableFile: When a keyword is none.
    """
    tags = {}
    for keyword, value in item.items():
        tag = tag_for_keyword(keyword)
        if tag is None:
            raise UnreadableFile("a data set", f"no element {keyword}")
        tags[tag] = value
    return b"".join(_element(tag, tags[tag], syntax_is_implicit) for tag in sorted(tags))


def _element(tag: int, value: Any, implicit: bool) -> bytes:
    representation = dictionary_VR(tag).split(" or ")[0]
    content = _content(representation, value, implicit)
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
    if implicit:
        return head + struct.pack("<L", len(content)) + content
    if representation in LONG:
        return head + struct.pack("<2sHL", representation.encode(), 0, len(content)) + content
    return head + struct.pack("<2sH", representation.encode(), len(content)) + content


def _content(representation: str, value: Any, implicit: bool) -> bytes:
    values: Sequence[Any] = value if isinstance(value, list | tuple) else [value] if value not in (None, "") else []
    if representation == "SQ":
        items = [encoded(each, implicit) for each in values if isinstance(each, Mapping)]
        return b"".join(struct.pack("<HHL", 0xFFFE, 0xE000, len(each)) + each for each in items)
    if representation in NUMBERS:
        kind: Any = float if representation in ("FL", "FD") else int
        return b"".join(struct.pack(NUMBERS[representation], kind(each)) for each in values)
    if (representation in LONG and representation not in ("UC", "UR", "UT")) or representation == "AT":
        return b""
    content = "\\".join(str(each) for each in values).encode()[:65534]
    return content + (b"\0" if representation == "UI" else b" ") * (len(content) % 2)
