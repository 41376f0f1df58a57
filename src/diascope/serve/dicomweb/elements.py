"""Elements of the DICOM JSON model (PS3.18 F) from text as the index keeps it; keywords from what clients write."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword

JSON = "application/dicom+json"
Model = dict[str, dict[str, Any]]
"""A data set: tag to value representation and values."""

TAG = re.compile(r"[0-9A-Fa-f]{8}")
WHOLE = frozenset(("IS", "SL", "SS", "UL", "US"))
REAL = frozenset(("DS", "FD", "FL"))
GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


@cache
def _tag_and_vr(keyword: str) -> tuple[str, str]:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise KeyError(keyword)
    return f"{tag:08X}", dictionary_VR(tag)


def tag_of(keyword: str) -> str:
    """Eight hexadecimal digits of a keyword that the dictionary has."""
    return _tag_and_vr(keyword)[0]


def keyword_of(name: str) -> str:
    """The keyword that a client means by a keyword or a tag; "" where the dictionary has none."""
    if TAG.fullmatch(name):
        return keyword_for_tag(int(name, 16))
    return name if tag_for_keyword(name) is not None else ""


def element(keyword: str, value: object) -> dict[str, Any]:
    """One element: its representation, and its values unless there are none.

    Args:
        keyword: Of the dictionary.
        value: Text (values separated by backslashes), a number, a list of either, or a list of data sets.
    """
    _, vr = _tag_and_vr(keyword)
    if value is None or value in ("", []):
        return {"vr": vr}
    if isinstance(value, str):
        values: list[Any] = value.split("\\") if "\\" in value else [value]
    else:
        values = value if isinstance(value, list) else [value]
    convert = _converter(vr)
    try:
        return {"vr": vr, "Value": [convert(one) for one in values]}
    except (ValueError, OverflowError):  # the file had a number that is none
        return {"vr": vr}


def model(values: Mapping[str, object]) -> Model:
    """A data set from keywords and values, in the order of tags."""
    found = {tag_of(keyword): element(keyword, value) for keyword, value in values.items()}
    return dict(sorted(found.items()))


@cache
def _converter(vr: str) -> Callable[[Any], Any]:
    if vr == "PN":
        return _name
    if vr in WHOLE:
        return lambda one: int(float(one)) if one != "" else None
    if vr in REAL:
        return lambda one: _finite(float(one)) if one != "" else None
    return lambda one: one if one != "" else None


def _finite(number: float) -> float:
    if number - number != 0:
        raise ValueError("JSON has no such number")
    return number


def _name(text: str) -> dict[str, str] | None:
    groups = dict(zip(GROUPS, text.split("="), strict=False))
    return {kind: group for kind, group in groups.items() if group} or None
