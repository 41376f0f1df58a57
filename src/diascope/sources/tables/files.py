"""One table file as a sheet, by its ending; and the unit in the name of a column."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from diascope.core.errors import DataRefused, DiascopeError
from diascope.sources.tables.arff import names_of_arff, read_arff
from diascope.sources.tables.delimited import names_of_delimited, read_delimited
from diascope.sources.tables.hdf5 import names_of_hdf5, read_hdf5
from diascope.sources.tables.parquet import names_of_parquet, read_parquet
from diascope.sources.tables.sheet import Sheet
from diascope.sources.tables.text_cells import NAMELESS
from diascope.sources.tables.units import is_unit

Reader = tuple[Callable[[Path], Sheet], Callable[[Path], tuple[str, ...]]]
"""Reads the table, and only the names of its columns."""

READERS: Mapping[str, Reader] = MappingProxyType(
    {
        **dict.fromkeys((".csv", ".tsv", ".txt"), (read_delimited, names_of_delimited)),
        **dict.fromkeys((".parquet", ".pq"), (read_parquet, names_of_parquet)),
        ".arff": (read_arff, names_of_arff),
        **dict.fromkeys((".h5", ".hdf5"), (read_hdf5, names_of_hdf5)),
    }
)
"""Ending in lower case to how such a file is read."""

SUFFIXES = tuple(READERS)
"""Endings of table files."""

AMBIGUOUS = ("L", "l", "V", "J", "W")
"""No units where they stand alone in parentheses: `IOP (L)` is that of the left eye, `stage (V)` the fifth."""

WIDE = str.maketrans("（）［］", "()[]")
"""Brackets as Chinese texts have them."""

_ENDING = re.compile(r"(?P<name>.*\S)(?P<gap>\s*)(?:\[(?P<square>[^()\[\]]+(?:\[\w+\])?)\]|\((?P<round>[^()]+)\))\s*")


def read_table(path: Path) -> Sheet:
    """Read a table file; every cell is text, or None where it holds nothing (see `formats.tables.words`).

    Args:
        path: A file with one of `SUFFIXES`. Lines of cells need no header: the columns are then called column_1, ...

    Raises:
        DataRefused: When it is no table file, is empty, or cannot be read as it is.
        MissingPackage: When Parquet or HDF5 is given and the package that reads it is not installed.
    """
    suffix = path.suffix.lower()
    if suffix not in READERS:
        raise DataRefused(f"{path} is no table file", given=suffix or "no ending", todo=f"Give {', '.join(SUFFIXES)}")
    return READERS[suffix][0](path)


def columns_of(path: Path) -> tuple[str, ...]:
    """Names of the columns as `read_table` gives them, without reading the rows; empty where it is no such table.

    Also empty for Parquet or HDF5 without the package that reads it: only `read_table` says so. Never raises.
    """
    suffix = path.suffix.lower()
    if suffix not in READERS:
        return ()
    try:
        names = READERS[suffix][1](path)
    except (DiascopeError, OSError, ValueError):
        return ()
    return tuple(name for name in names if not NAMELESS.fullmatch(name))


def unit_of(column: str) -> tuple[str, str]:
    """The plain name of a column, and the unit that stands in brackets behind it; empty where there is none.

    Two columns may have one plain name (glucose in mg/dL and in mmol/L): rows are told apart by the whole one.

    Example:
        >>> unit_of("Potassium (mmol/L)")
        ('Potassium', 'mmol/L')
        >>> unit_of("smoker (yes/no)")
        ('smoker (yes/no)', '')
    """
    match = _ENDING.fullmatch(column.strip().translate(WIDE))
    if match is None:
        return column, ""
    unit = (match["square"] or match["round"]).strip()
    # `lesion(s)` is a plural.
    if match["round"] and (unit in AMBIGUOUS or (unit == "s" and not match["gap"])):
        return column, ""
    return (match["name"], unit) if is_unit(unit) else (column, "")
