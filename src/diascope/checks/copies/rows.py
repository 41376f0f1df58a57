"""Rows of tables that are copies of each other, and not alike by chance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from diascope.core.case import Case, Scalar, TableRef
from diascope.planning.survey import Survey

RARE = 0.02
"""A value is rare that at most this share of the rows hold."""
FEWEST_RARE = 3
"""Rare values that two rows must share: of whole numbers and classes alone, patients have the same ones by chance."""

Values = tuple[tuple[str, Scalar], ...]


def same_rows(survey: Survey) -> list[list[Case]]:
    """Groups of cases whose tables hold the same values, several of them rare; none where a case has other inputs."""
    rows = {case.id: _values(case) for case in survey.cases if _only_tables(case)}
    held = Counter(value for values in rows.values() for value in values if value[1] is not None)
    groups: dict[Values, list[Case]] = {}
    for case in survey.cases:
        if case.id in rows:
            groups.setdefault(rows[case.id], []).append(case)
    return [group for values, group in groups.items() if _copied(values, group, held, len(rows))]


def _only_tables(case: Case) -> bool:
    return bool(case.inputs) and all(isinstance(ref, TableRef) for ref in case.inputs.values())


def _values(case: Case) -> Values:
    tables = {name: ref for name, ref in case.inputs.items() if isinstance(ref, TableRef)}
    return tuple(sorted((f"{name}/{key}", value) for name, ref in tables.items() for key, value in ref.values.items()))


def _copied(values: Values, group: Sequence[Case], held: Counter[tuple[str, Scalar]], rows: int) -> bool:
    if len(group) < 2:
        return False
    most = max(RARE * rows, len(group))
    return sum(value[1] is not None and held[value] <= most for value in values) >= FEWEST_RARE
