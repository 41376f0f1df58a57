"""The words of a structured report: its headings, texts, codes and numbers, in the order of its tree.

Basic Text, Enhanced and Comprehensive SR (PS3.3, A.35.1 to A.35.3 and A.35.13). References to images, places and curves
are no words and are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from diascope.core.errors import DataRefused

SOP_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.88.11": "Basic Text SR",
    "1.2.840.10008.5.1.4.1.1.88.22": "Enhanced SR",
    "1.2.840.10008.5.1.4.1.1.88.33": "Comprehensive SR",
    "1.2.840.10008.5.1.4.1.1.88.34": "Comprehensive 3D SR",
}
DEEPEST, MOST_LINES = 32, 5000
VALUE_TYPE, CONTENT, NAME, MEANING = "0040A040", "0040A730", "0040A043", "00080104"
CODE, NUMBER_SEQUENCE, NUMBER, UNIT, CODE_VALUE = "0040A168", "0040A300", "0040A30A", "004008EA", "00080100"
PLAIN = {"TEXT": "0040A160", "DATE": "0040A121", "TIME": "0040A122", "DATETIME": "0040A120", "PNAME": "0040A123"}
"""Value type to the element that holds its value (PS3.3, C.17.3)."""

Element = Mapping[str, Any]


def words_of(header: Element) -> str:
    """The words of a report.

    Args:
        header: Of the object, as DICOM JSON (PS3.18 F).

    Raises:
        DataRefused: When it holds no words, or more than a report has.
    """
    lines = list[str]()
    for line in _lines(header, 0):
        lines.append(line)
        if len(lines) > MOST_LINES:
            raise DataRefused("this report has too many parts to be shown", given=f"more than {MOST_LINES}")
    text = "\n".join(lines).replace("\r\n", "\n").replace("\r", "\n").strip()
    if not text:
        raise DataRefused("this report holds no words")
    return text


def state_of(header: Element) -> tuple[str, str]:
    """Whether it is complete and verified: `PARTIAL` or `COMPLETE`, `UNVERIFIED` or `VERIFIED` (PS3.3, C.17.2)."""
    return _first(header, "0040A491"), _first(header, "0040A493")


def _lines(item: Element, depth: int) -> Iterator[str]:
    if depth > DEEPEST:
        raise DataRefused("this report is nested too deep to be shown", given=f"deeper than {DEEPEST}")
    kind, name = _first(item, VALUE_TYPE), _meaning(item, NAME)
    value = _value(item, kind)
    if value:
        yield f"{name}: {value}" if name else value
    elif kind == "CONTAINER" and name:
        yield f"\n{name}"  # a heading, apart from what is above it
    for one in _items(item, CONTENT):
        yield from _lines(one, depth + 1)


def _value(item: Element, kind: str) -> str:
    if kind in PLAIN:
        return _first(item, PLAIN[kind])
    if kind == "CODE":
        return _meaning(item, CODE)
    if kind == "NUM":
        for one in _items(item, NUMBER_SEQUENCE):
            unit = next((_first(each, CODE_VALUE) for each in _items(one, UNIT)), "")
            return f"{_first(one, NUMBER)} {'' if unit == '1' else unit}".strip()
    return ""


def _meaning(item: Element, tag: str) -> str:
    return next((_first(one, MEANING) for one in _items(item, tag)), "")


def _items(item: Element, tag: str) -> list[Element]:
    values = _values(item, tag)
    return [one for one in values if isinstance(one, Mapping)]


def _first(item: Element, tag: str) -> str:
    values = _values(item, tag)
    if not values or values[0] is None:
        return ""
    value = values[0]
    if isinstance(value, Mapping):  # a name of a person: alphabetic, ideographic, phonetic
        groups = (value.get("Ideographic"), value.get("Alphabetic"))
        value = next((one for one in groups if isinstance(one, str) and one), "").replace("^", " ")
    if isinstance(value, float) and value.is_integer():  # DICOM JSON makes 8.0 of the decimal string 8
        value = int(value)
    return str(value).strip()


def _values(item: Element, tag: str) -> list[Any]:
    element = item.get(tag)
    values = element.get("Value") if isinstance(element, Mapping) else None
    return values if isinstance(values, list) else []
