"""The text of a table file: UTF-8 or UTF-16, and what another file looks like."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from diascope.core.errors import UnreadableFile

UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
"""Excel's "Unicode text" starts with one of these marks; UTF-16 without a mark is not guessed."""

SAVE = "Save the table as CSV in UTF-8"

_HIGH = re.compile(rb"[\x80-\xff]+")
_COMMON_CHINESE = re.compile(rb"(?:[\xa1-\xa9\xb0-\xd7][\xa1-\xfe])+")
"""Punctuation and the 3,755 common characters of GB 2312, two bytes each (GB 18030 keeps their codes)."""


def text_of(path: Path) -> str:
    """The text of a file.

    Raises:
        UnreadableFile: When it cannot be read, is in another encoding, or is no text.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UnreadableFile(path, str(error.strerror)) from error
    encoding, name = _encoding(raw)
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        guess = "" if raw.startswith(UTF_16) else _looks_like(raw)
        raise UnreadableFile(path, f"not {name} at byte {error.start}{guess}", SAVE) from error
    if "\0" in text:
        raise UnreadableFile(path, "it holds zero bytes: it is no text, or UTF-16 without a byte-order mark", SAVE)
    return text


def head_of(path: Path, most: int) -> str:
    """At most so many characters from the start of a file.

    Raises:
        OSError: When it cannot be read.
        ValueError: When it is no text in a known encoding.
    """
    with path.open("rb") as stream:
        encoding, _ = _encoding(stream.read(2))
    with path.open(encoding=encoding, newline="") as stream:
        text = stream.read(most)
    if "\0" in text:
        raise ValueError(f"{path} is no text")
    return text


def _encoding(raw: bytes) -> tuple[str, str]:
    """The codec that the first bytes ask for, and what people call it."""
    return ("utf-16", "UTF-16") if raw.startswith(UTF_16) else ("utf-8-sig", "UTF-8")


def _looks_like(raw: bytes) -> str:
    """A guess to put into the error.

    Nearly any Western text decodes as GB18030 too, so decoding tells nothing: Chinese comes in pairs of high bytes from
    a narrow range, while letters with accents stand alone between plain ones.
    """
    runs = _HIGH.findall(raw)
    if 2 * sum(_COMMON_CHINESE.fullmatch(run) is not None for run in runs) > len(runs):
        return ", it looks like GB18030 (Chinese)"
    if 2 * sum(len(run) <= 2 for run in runs) > len(runs):
        return ", it looks like cp1252 (Western Windows)"
    return ""
