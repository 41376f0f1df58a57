"""Weka's ARFF: declared attributes, then lines of cells.

`scipy.io.arff` is not used: it refuses text, keeps nominal values as bytes (and fails on those beyond ASCII), and does
not notice a line with too many cells. Source: https://waikato.github.io/weka-wiki/formats_and_processing/arff_stable/
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from diascope.core.errors import UnreadableFile
from diascope.formats.tables.encoding import head_of, text_of
from diascope.formats.tables.words import is_missing, number_of, trimmed
from diascope.sources.tables.sheet import Sheet
from diascope.sources.tables.targets import MOST_CLASSES
from diascope.sources.tables.text_cells import column_of, note_on_missing, sheet_of

NUMBERS = ("numeric", "real", "integer")
TEXTS = ("string", "date")
HEAD = 1 << 20
"""Characters in which the declarations are looked for, where only the names are asked."""

_QUOTED = r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*\""""
_ATTRIBUTE = re.compile(rf"@attribute\s+({_QUOTED}|[^\s{{]+)\s*(.*)", re.IGNORECASE)
_CELL = re.compile(rf"\s*({_QUOTED}|[^,]*?)\s*(?:,|$)")


@dataclass(frozen=True)
class Attribute:
    """A declared column.

    Args:
        name: As declared, without quotes.
        kind: `numeric` (also real, integer), `string`, `date`, or `nominal`.
        values: Those of a nominal attribute, in their order.
    """

    name: str
    kind: str
    values: tuple[str, ...] = ()


def read_arff(path: Path) -> Sheet:
    """Read an ARFF file; the order of nominal values is kept in the notes.

    Raises:
        UnreadableFile: When it is none, is sparse or relational, or a line does not hold what was declared.
    """
    lines = _meant(text_of(path))
    attributes = _declared(path, lines)
    rows = [_row(path, number, line, attributes) for number, line in lines]
    spelt: Counter[str] = Counter()
    by_column = list(zip(*rows, strict=True)) or [()] * len(attributes)
    columns = [_column(cells, one, spelt) for cells, one in zip(by_column, attributes, strict=True)]
    orders = [
        f"{one.name} is one of {', '.join(one.values)}, declared in this order"
        for one in attributes
        if 0 < len(one.values) <= MOST_CLASSES
    ]
    names = [one.name for one in attributes]
    return sheet_of(path, names, columns, [*orders, *note_on_missing(path, spelt)])


def names_of_arff(path: Path) -> tuple[str, ...]:
    """Names of the attributes.

    Raises:
        OSError: When the file cannot be read.
        UnreadableFile: When it declares none.
        ValueError: When it is no text.
    """
    return tuple(one.name for one in _declared(path, _meant(head_of(path, HEAD))))


def _meant(text: str) -> Iterator[tuple[int, str]]:
    """Lines that are neither empty nor comments, with their numbers."""
    for number, line in enumerate(io.StringIO(text, newline=None), start=1):
        stripped = line.strip()
        if stripped and not stripped.startswith("%"):
            yield number, stripped


def _declared(path: Path, lines: Iterator[tuple[int, str]]) -> list[Attribute]:
    """The attributes; leaves `lines` at the first line of data."""
    attributes: list[Attribute] = []
    for number, line in lines:
        word = line.split(None, 1)[0].lower()
        if word == "@data":
            break
        if word == "@attribute":
            attributes.append(_attribute(path, number, line))
        elif word != "@relation":
            raise UnreadableFile(path, f"line {number} declares nothing: {line[:40]!r}", "Give an ARFF file")
    else:
        raise UnreadableFile(path, "it has no line '@data'", "Give an ARFF file")
    if not attributes:
        raise UnreadableFile(path, "it declares no attribute", "Give an ARFF file")
    return attributes


def _attribute(path: Path, number: int, line: str) -> Attribute:
    match = _ATTRIBUTE.match(line)
    name, kind = (_unquoted(match[1]), match[2].strip()) if match else ("", "")
    if kind.startswith("{") and kind.endswith("}"):
        return Attribute(name, "nominal", tuple(map(_unquoted, _parted(kind[1:-1]))))
    word = kind.split(None, 1)[0].lower() if kind else ""
    if word in (*NUMBERS, *TEXTS):
        return Attribute(name, "numeric" if word in NUMBERS else word)
    raise UnreadableFile(
        path,
        f"line {number} declares an attribute of the kind {kind or 'nothing'!r}",
        f"Declare {', '.join((*NUMBERS, *TEXTS))} or {{its, values}}",
    )


def _row(path: Path, number: int, line: str, attributes: Sequence[Attribute]) -> list[str]:
    """The cells of a line, as its attributes allow them.

    Raises:
        UnreadableFile: Names the line.
    """
    if line.startswith("{"):
        raise UnreadableFile(path, f"line {number} is sparse", "Write every cell: Weka's filter SparseToNonSparse does")
    cells = [_unquoted(cell) for cell in _parted(line)]
    if len(cells) != len(attributes):
        raise UnreadableFile(
            path, f"line {number} has {len(cells)} cells and there are {len(attributes)} attributes", "Mend the line"
        )
    for cell, one in zip(cells, attributes, strict=True):
        if is_missing(cell) or one.kind in TEXTS:
            continue
        if one.kind == "numeric" and number_of(cell) is None:
            raise UnreadableFile(path, f"line {number}: {one.name} is a number, not {cell!r}", "Mend the cell")
        if one.kind == "nominal" and cell not in one.values:
            raise UnreadableFile(
                path, f"line {number}: {one.name} is one of {', '.join(one.values)}, not {cell!r}", "Mend the cell"
            )
    return cells


def _column(cells: Sequence[str], attribute: Attribute, spelt: Counter[str]) -> list[str | None]:
    """Cells as text; what is declared as a value is one, even where it is spelt `-` or `missing`."""
    declared = set(attribute.values)
    others = column_of((None if cell in declared else cell for cell in cells), spelt)
    return [cell if cell in declared else other for cell, other in zip(cells, others, strict=True)]


def _parted(line: str) -> list[str]:
    """Cells between commas; commas within quotes part nothing."""
    cells, at = [], 0
    while True:
        match = _CELL.match(line, at)
        # The pattern's last way out takes anything up to a comma or the end.
        assert match is not None
        cells.append(match[1])
        at = match.end()
        if not match[0].endswith(","):
            return cells


def _unquoted(cell: str) -> str:
    """A cell without its quotes and the backslashes in them."""
    if len(cell) > 1 and cell[0] == cell[-1] and cell[0] in "'\"":
        return trimmed(re.sub(r"\\(.)", r"\1", cell[1:-1]))
    return trimmed(cell)
