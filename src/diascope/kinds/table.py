"""A row of typed columns: numbers, words, and what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from diascope.core.case import Case, FileRef, TableRef
from diascope.core.errors import DataRefused
from diascope.core.plan import ColumnFacts, InputFacts
from diascope.kinds import Floats, Kind, Look
from diascope.kinds.tables.columns import column_facts, values_by_column
from diascope.kinds.tables.rows import row_of, unknown_words
from diascope.models import InputSpec

NINETY = 3.29
"""Standard deviations between the 5 and the 95 % quantile of a normal distribution."""


class Table:
    """Held in the manifest itself; words become the index of the word, nan is missing."""

    encoder = "table_mlp"
    alone = "linear"

    def look(self, ref: FileRef, root: Path) -> Look:
        raise DataRefused("a row of a table is held in the manifest, not in a file", given=", ".join(ref.paths))

    def facts(self, refs: Sequence[FileRef | TableRef], looks: Sequence[Look | None]) -> InputFacts:
        rows = [ref for ref in refs if isinstance(ref, TableRef)]
        units = {key: unit for row in rows for key, unit in row.units.items()}
        found = [column_facts(key, values, units.get(key, "")) for key, values in values_by_column(rows).items()]
        table = tuple(sorted((one for one in found if one is not None), key=lambda one: one.name))
        names = tuple(one.name for one in table)
        return InputFacts.without_space("table", len(table), columns=names, table=table)

    def settings(self, facts: InputFacts) -> dict[str, Any]:
        """What its columns mean.

        `columns` that say something, `categories` (words of each; another one counts as missing), `zeros_missing`
        (columns in which a 0 stands for a missing value), `units`, `scales` (middle and spread of each column).
        """
        if not facts.columns:
            raise DataRefused(
                "no column of the table says anything: each is empty, or alike for all training cases",
                todo="Bring a column to learn from",
            )
        return {
            "kind": "table",
            "columns": list(facts.columns),
            "categories": {one.name: list(one.values) for one in facts.table if one.kind == "category"},
            "zeros_missing": [one.name for one in facts.table if one.zeros_missing],
            "units": {one.name: one.unit for one in facts.table if one.unit},
            "scales": {one.name: _scale(one) for one in facts.table},
        }

    def reason(self, settings: Mapping[str, Any]) -> str:
        return f"{len(settings['columns'])} columns that say something in the training part"

    def spec(self, settings: Mapping[str, Any]) -> InputSpec:
        columns: Sequence[str] = settings["columns"]
        words, scales = settings.get("categories", {}), settings.get("scales", {})
        return InputSpec(
            "table",
            len(columns),
            0,
            categories=tuple(len(words.get(column, ())) for column in columns) if words else (),
            scales=tuple((scales[column][0], scales[column][1]) for column in columns) if scales else (),
        )

    def array(self, case: Case, name: str, root: Path, settings: Mapping[str, Any]) -> npt.NDArray[Any]:
        return row_of(case, name, settings)

    def describe(self, array: npt.NDArray[Any], settings: Mapping[str, Any]) -> Floats:
        return np.asarray(array, float)

    def remarks(self, case: Case, name: str, root: Path, settings: Mapping[str, Any]) -> list[str]:
        return unknown_words(case, name, settings)

    def refusals(self, case: Case, name: str, root: Path, settings: Mapping[str, Any]) -> list[str]:
        """None: what a number must be stands in the gate's column rules."""
        return []


def _scale(facts: ColumnFacts) -> list[float]:
    """Median, and the standard deviation of a normal distribution with the same 5 and 95 % quantiles."""
    if facts.kind == "category":
        return [0.0, 1.0]
    least, low, middle, high, most = facts.quantiles
    spread = (high - low) / NINETY or (most - least) / NINETY or 1.0
    return [float(f"{middle:.6g}"), float(f"{spread:.6g}")]


KIND: Kind = Table()
