"""How deep the sequences of a data set are nested, without recursion; runs inside the decoder child.

pydicom reads a sequence of undefined length by recursion and one of known length only when it is asked for. So a file
may be read without trouble and end every later reader with a `RecursionError`: the depth is counted here, once.
"""

from __future__ import annotations

import struct
from typing import Any

from pydicom.dataelem import DataElement

from diascope.formats.dicomio.parsing import BrokenFileError

DEEPEST = 64
"""Sequences in one another. A structured report has ten; pydicom gives up near 250."""

SMALLEST_LEVEL = 16
"""Bytes that one level needs at least: a sequence's header and an item's, implicit."""

LONG = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"))
"""Value representations whose length has four bytes (PS3.5 7.1.2)."""

UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD


def check_depth(dataset: Any) -> None:
    """Refuse a data set whose sequences lie deeper in one another than `DEEPEST`.

    Raises:
        BrokenFileError: When they do.
    """
    waiting = [(dataset, 0)]
    while waiting:
        current, level = waiting.pop()
        if level > DEEPEST:
            raise _too_deep()
        for element in current._dict.values():
            if isinstance(element, DataElement):
                if element.VR == "SQ":
                    waiting += [(item, level + 1) for item in element.value or []]
            elif isinstance(element.value, bytes) and len(element.value) >= SMALLEST_LEVEL * (DEEPEST - level):
                _check_bytes(element.value, element.is_implicit_VR, element.is_little_endian, level)


def _check_bytes(value: bytes, implicit: bool, little: bool, level: int) -> None:
    """Walk over a value that may be a sequence of known length, which nobody has parsed."""
    mark = "<" if little else ">"
    two, four = struct.Struct(f"{mark}HH").unpack_from, struct.Struct(f"{mark}L").unpack_from
    if two(value) != (0xFFFE, 0xE000):
        return
    at, size, undefined, ends = 0, len(value), 0, [len(value)]
    while at + 8 <= size:
        while ends and at >= ends[-1]:
            ends.pop()
        group, number = two(value, at)
        tag = group << 16 | number
        if tag in (ITEM, ITEM_END, SEQUENCE_END):
            undefined -= tag == SEQUENCE_END and undefined > 0
            at += 8
            continue
        head, length = _head(value, at, implicit, four, mark)
        inner = at + head
        if length == UNDEFINED:
            undefined += 1
            at = inner
        elif length >= 8 and inner + 8 <= size and two(value, inner) == (0xFFFE, 0xE000):
            ends.append(inner + length)
            at = inner
        else:
            at = inner + length
        if level + len(ends) + undefined > DEEPEST:
            raise _too_deep()


def _head(value: bytes, at: int, implicit: bool, four: Any, mark: str) -> tuple[int, int]:
    """Bytes before the value of the element at `at`, and the length of the value."""
    if implicit:
        return 8, four(value, at + 4)[0]
    if value[at + 4 : at + 6] in LONG:
        return 12, four(value, at + 8)[0] if at + 12 <= len(value) else 0
    return 8, struct.unpack_from(f"{mark}H", value, at + 6)[0]


def _too_deep() -> BrokenFileError:
    return BrokenFileError(f"sequences are nested more than {DEEPEST} deep")
