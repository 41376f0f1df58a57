"""Parquet: typed columns as text."""

from __future__ import annotations

import importlib
from collections import Counter
from pathlib import Path
from typing import Any

from diascope.core.errors import MissingPackage, UnreadableFile
from diascope.sources.tables.sheet import Sheet
from diascope.sources.tables.targets import MOST_CLASSES
from diascope.sources.tables.text_cells import Column, column_of, note_on_missing, sheet_of, text_of_value

KINDS = ("boolean", "integer", "floating", "decimal", "string", "large_string", "date", "time", "timestamp", "null")
"""Kinds of columns that fit into cells, by the names of pyarrow's tests `is_...`."""


def read_parquet(path: Path) -> Sheet:
    """Read a Parquet file; the order of ordered categories is kept in the notes.

    pyarrow is asked, not pandas: pandas turns whole numbers into fractions where one of them is missing.

    Raises:
        MissingPackage: Without pyarrow.
        UnreadableFile: When it is no such file, or a column is no column of cells (lists, pictures).
    """
    arrow = _arrow()
    try:
        with arrow.parquet.ParquetFile(path) as file:
            table = file.read().unify_dictionaries()
    except (OSError, arrow.lib.ArrowException) as error:
        raise UnreadableFile(path, str(error)) from error
    _refuse_no_cells(path, arrow, table.schema)
    spelt: Counter[str] = Counter()
    columns: list[Column] = []
    notes = []
    for name, values in zip(table.column_names, table.columns, strict=True):
        columns.append(column_of((text_of_value(value) for value in values.to_pylist()), spelt))
        if arrow.types.is_dictionary(values.type) and values.type.ordered and values.num_chunks:
            order = [str(text_of_value(value)) for value in values.chunk(0).dictionary.to_pylist()]
            if len(order) <= MOST_CLASSES:
                notes.append(f"{name} is one of {', '.join(order)}, declared in this order")
    return sheet_of(path, table.column_names, columns, [*notes, *note_on_missing(path, spelt)])


def names_of_parquet(path: Path) -> tuple[str, ...]:
    """Names of the columns, from the end of the file.

    Raises:
        MissingPackage: Without pyarrow.
        UnreadableFile: When it is no such file.
    """
    arrow = _arrow()
    try:
        return tuple(arrow.parquet.read_schema(path).names)
    except (OSError, arrow.lib.ArrowException) as error:
        raise UnreadableFile(path, str(error)) from error


def _refuse_no_cells(path: Path, arrow: Any, schema: Any) -> None:
    wrong = []
    for field in schema:
        kind = field.type.value_type if arrow.types.is_dictionary(field.type) else field.type
        if not any(getattr(arrow.types, f"is_{name}")(kind) for name in KINDS):
            wrong.append(f"{field.name} ({field.type})")
    if wrong:
        raise UnreadableFile(path, f"columns that are no text, numbers or dates: {', '.join(wrong)}", "Leave them out")


def _arrow() -> Any:
    try:
        importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise MissingPackage("pyarrow", "tables", "a Parquet table") from error
    return importlib.import_module("pyarrow")
