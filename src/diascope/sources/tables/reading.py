"""Which inputs of a case are read: only those that are meant, and columns that describe it as one more."""

from __future__ import annotations

from collections.abc import Sequence

from diascope.core.case import Case, FileRef, TableRef, Target
from diascope.core.errors import DataRefused, UnknownName
from diascope.sources.tables.files import unit_of

INPUT = "table"
"""Name of the input that the columns make."""


def with_columns(cases: Sequence[Case], names: Sequence[str]) -> list[Case]:
    """Cases whose covariates of these names are an input as well; one that has no value lacks the input.

    Raises:
        UnknownName: When no case has such a covariate.
        DataRefused: When the cases have rows of their own.
    """
    known = dict.fromkeys(name for case in cases for name in case.covariates)
    for name in names:
        if name not in known:
            raise UnknownName("column to read", name, known)
    if names and any(INPUT in case.inputs for case in cases):
        raise DataRefused("the cases are rows of a table: all of its columns are read", todo="Leave out --read")
    return [_with_row(case, names) for case in cases] if names else list(cases)


def completed(cases: Sequence[Case], names: Sequence[str]) -> list[Case]:
    """The same for a release that reads these columns: what the data does not know is missing."""
    return [case if INPUT in case.inputs else _with_row(case, names) for case in cases] if names else list(cases)


def _with_row(case: Case, names: Sequence[str]) -> Case:
    values = {name: case.covariates.get(name) for name in names}
    if all(value is None for value in values.values()):
        return case
    units = {name: unit for name in names if (unit := unit_of(name)[1])}
    return case.model_copy(update={"inputs": {**case.inputs, INPUT: TableRef(values=values, units=units)}})


def only(cases: Sequence[Case], names: Sequence[str]) -> list[Case]:
    """Cases with these inputs alone; a case that has none of them is left out.

    Raises:
        UnknownName: When no case has such an input.
    """
    if not names:
        return list(cases)
    known = dict.fromkeys(name for case in cases for name in case.inputs)
    for name in names:
        if name not in known:
            raise UnknownName("input", name, known)
    found = []
    for case in cases:
        inputs: dict[str, FileRef | TableRef] = {name: ref for name, ref in case.inputs.items() if name in names}
        if inputs:
            found.append(case.model_copy(update={"inputs": inputs}))
    return found


def without_images(cases: Sequence[Case], targets: Sequence[Target], learnt: Target | None) -> list[Case]:
    """Cases without the target images that are not what is learnt: a survey would take their files for masks."""
    images = {name for one in targets if one.kind == "image" and one != learnt for name in one.columns}
    if not images:
        return list(cases)
    kept = [{name: value for name, value in case.targets.items() if name not in images} for case in cases]
    return [case.model_copy(update={"targets": targets}) for case, targets in zip(cases, kept, strict=True)]
