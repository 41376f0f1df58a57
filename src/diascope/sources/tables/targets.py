"""Targets from columns: which values make classes, how classes are ordered, which one is the finding."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import Literal

from diascope.core.case import Label, Scalar, Target
from diascope.formats.tables.words import number_of
from diascope.sources.folders.files import suffix_of
from diascope.sources.tables.columns import plain

MOST_CLASSES = 20
"""A text column with more values is no target unless the user names it."""

MOST_NUMBERS = 10
"""A column of whole or half numbers (grades) with more values is a number, not a class."""

NEGATIVE = (
    *("0", "no", "none", "false", "negative", "neg", "normal", "healthy", "benign", "control", "controls", "absent"),
    *("no_finding", "no_findings", "nofinding", "not_present", "uninfected", "background", "non_tumor", "no_tumor"),
    *("alive", "survived", "survivor", "well", "stable", "unremarkable", "non_case", "low_risk"),
    *("正常", "健康", "良性", "对照", "阴性", "否", "无", "存活", "生存"),
)
"""Of two classes the one with such a name is the absence of the finding."""
WITHOUT = ("no_", "not_", "non_", "un_", "without_", "no", "not", "non", "un", "无", "非", "未", "不")
"""Beginnings that make of a finding its absence: `notckd` beside `ckd`."""
ABSENT_OF_PAIR = MappingProxyType({frozenset(("b", "m")): "b", frozenset(("n", "y")): "n", frozenset(("f", "t")): "f"})
"""Pairs of letters (benign and malignant, no and yes, false and true), and the one of absence."""

DICOM = (".dcm", ".dicom")
"""Endings of DICOM files, which are otherwise told by their content."""

ColumnKind = Literal["empty", "category", "number", "text", "files"]

NO_CLASSES = MappingProxyType(
    {
        "empty": "it is empty for every case",
        "number": f"it holds more than {MOST_NUMBERS} numbers; write classes as words",
        "text": f"it holds more than {MOST_CLASSES} different texts, most of them once",
        "files": "it names image files; masks are listed in a manifest.csv with the columns image and mask",
    }
)
"""Kind of a column to why it makes no classes."""


def names_file(cell: str) -> bool:
    """Whether a cell looks like the name of an image file."""
    return bool(suffix_of(cell)) or cell.lower().endswith(DICOM)


def kind_of(values: Sequence[str | None]) -> ColumnKind:
    """Whether a column holds few classes, numbers, names of image files, or text with too many values to be classes."""
    present = [value for value in values if value is not None]
    distinct = set(present)
    if not distinct:
        return "empty"
    if all(names_file(value) for value in distinct):
        return "files"
    if all(number_of(value) is not None for value in distinct):
        # Grades come in whole or in half steps; of two values with a fraction neither is a grade.
        size = 2 if len(distinct) > 2 else 1
        steps = all((size * float(value)).is_integer() for value in distinct)
        return "category" if steps and len(distinct) <= MOST_NUMBERS else "number"
    return "category" if len(distinct) <= MOST_CLASSES else "text"


def scalar_of(text: str | None) -> Scalar:
    """A cell as a number where it is one, else as text."""
    if text is None:
        return None
    number = number_of(text)
    if number is None:
        return text
    return int(number) if number.is_integer() and text.lstrip("+-").isdigit() else number


def class_name(text: str | None) -> str | None:
    """The name of a class: `1.0` (a whole number that lost its type beside empty cells) is `1`."""
    if text is None or "." not in text:
        return text
    number = number_of(text)
    return str(int(number)) if number is not None and number.is_integer() else text


def category(name: str, values: Iterable[str | None]) -> Target:
    """A target of classes, sorted by name (numbers by value), the index being the place in that order."""
    names = sorted({value for value in values if value is not None}, key=_order)
    labels = tuple(Label(name=value, value=index) for index, value in enumerate(names))
    return Target(name=name, kind="category", columns=(name,), labels=labels, positive=positive_of(names))


def positive_of(names: Sequence[str]) -> str | None:
    """Of two classes the one that is the finding: the other has a name that says absence (see `NEGATIVE`)."""
    if len(names) != 2:
        return None
    found = [name for name, other in zip(names, reversed(names), strict=True) if not _is_absence_beside(name, other)]
    return found[0] if len(found) == 1 else None


def _is_absence_beside(name: str, other: str) -> bool:
    one, two = plain(name), plain(other)
    said_without = any(one == f"{word}{two}" for word in WITHOUT)
    return said_without or is_absence(name) or ABSENT_OF_PAIR.get(frozenset((one, two))) == one


def is_absence(name: str) -> bool:
    """Whether a name says that nothing was found; `normal or benign` and `normal, benign` do, as each word does."""
    words = [word for word in re.split(r",|/|\bor\b|\band\b", name.lower()) if word.strip()]
    return plain(name) in NEGATIVE or (bool(words) and all(plain(word) in NEGATIVE for word in words))


def _order(name: str) -> tuple[int, float, str]:
    number = number_of(name)
    return (1, 0.0, name) if number is None else (0, number, name)
