"""The text of a file: UTF-8 or UTF-16 for tables, other encodings of reports where they can be told for certain."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from diascope.core.errors import UnreadableFile

UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
"""Excel's "Unicode text" starts with one of these marks; UTF-16 without a mark is not guessed."""

SAVE = "Save the table as CSV in UTF-8"
SAVE_TEXT = "Save the text in UTF-8"

COMMON = 0.85
"""Share of common characters from which on bytes are taken for Chinese; in Chinese reports they are 97 % and more."""
ALONE = 0.9
"""Share of high bytes that stand alone or in twos from which on they are taken for letters with accents."""
LAST_OF_KOREAN, LATER, FEW = 0xC8, 0.1, 8
"""First byte of the last Korean syllable in EUC-KR, the share of characters beyond it that Chinese texts have at least,
and how many characters are too few to ask for it."""
REPLACED = "\N{REPLACEMENT CHARACTER}"
_NOT_WESTERN = frozenset(b"\x81\x8d\x8f\x90\x9d")
"""Bytes that mean nothing in Windows-1252."""

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


def decoded(path: Path, raw: bytes) -> tuple[str, str]:
    """The text of a report and the name of its encoding: UTF-8, UTF-16 with its mark, GB 18030, or Windows-1252.

    A wrong guess would be read as other words, so the last two are taken only where the bytes can be nothing else:
    pairs that are common Chinese characters, or letters with accents that stand alone between plain ones.

    Raises:
        UnreadableFile: When no encoding fits, or it is no text; says what was tried.
    """
    codec, name = _encoding(raw)
    if codec == "utf-8-sig" and not _is_utf8(raw) and b"\0" not in raw:
        codec, name = _other_encoding(path, raw)
    try:
        text = raw.decode(codec)
    except UnicodeDecodeError as error:
        raise UnreadableFile(path, f"not {name} at byte {error.start}", SAVE_TEXT) from error
    if controls := sum(one < " " and one not in "\t\n\r\f\v" for one in text):
        raise UnreadableFile(
            path, f"it holds {controls} control characters: it is no text, or UTF-16 without its mark", SAVE_TEXT
        )
    return text, name


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return False
    return True


def _other_encoding(path: Path, raw: bytes) -> tuple[str, str]:
    """What bytes that are no UTF-8 are written in.

    Raises:
        UnreadableFile: When nothing can be told.
    """
    lenient = raw.decode("utf-8", errors="replace")
    lost = lenient.count(REPLACED)
    if sum(one > "\x7f" for one in lenient) > 2 * lost:
        place = len(lenient.partition(REPLACED)[0].encode())
        raise UnreadableFile(path, f"broken UTF-8 at byte {place}: some characters were cut or lost", SAVE_TEXT)
    runs = _HIGH.findall(raw)
    if _is_chinese(raw):
        return "gb18030", "GB 18030"
    alone = sum(len(run) <= 2 for run in runs)
    if alone >= ALONE * len(runs) and all(byte not in _NOT_WESTERN for run in runs for byte in run):
        return "cp1252", "Windows-1252"
    raise UnreadableFile(path, "it is in no encoding that can be told: neither UTF-8, GB 18030 nor Western", SAVE_TEXT)


def _is_chinese(raw: bytes) -> bool:
    try:
        text = raw.decode("gb18030")
    except UnicodeDecodeError:
        return False
    pairs = [one.encode("gb18030") for one in text if one > "\x7f"]
    common = sum(_COMMON_CHINESE.fullmatch(pair) is not None for pair in pairs)
    # Korean in EUC-KR lies within the first half of that range; in Chinese two characters of five do not.
    later = sum(pair[0] > LAST_OF_KOREAN for pair in pairs)
    return common >= COMMON * len(pairs) and (later >= LATER * len(pairs) or len(pairs) < FEW)


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
