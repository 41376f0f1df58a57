"""Every metric of every case and structure, folded: what stands behind the means."""

from __future__ import annotations

from diascope.core.evaluation import CaseValues, Evaluation
from diascope.reports.markup import Child, Markup, tag
from diascope.reports.numbers import decimals, number, unit_text
from diascope.reports.tables import fold, table
from diascope.reports.words import Words

ROWS_SHOWN = 600
"""Rows of the table at most, the worst cases first: a page is no data store, evaluation.json has all of them."""


def every_case(evaluation: Evaluation, words: Words) -> Markup | None:
    """A folded table: one row for each case and structure, one column for each metric."""
    if not evaluation.case_values:
        return None
    names = [name.partition("/")[::2] for name in evaluation.case_values[0].values]
    bases, classes = (list(dict.fromkeys(part)) for part in zip(*names, strict=True))
    several = classes != [""]
    shown = evaluation.case_values[: max(1, ROWS_SHOWN // len(classes))]
    digits = {base: _digits(shown, base, evaluation) for base in bases}
    rows: list[list[Child]] = []
    for case in shown:
        for name in classes:
            cells: list[Child] = [number(_value(case, base, name), digits[base]) for base in bases]
            rows.append([case.case, *([words.phrase(name)] if several else []), *cells])
    head = [words("column.case"), *([words("column.class")] if several else [])]
    head += [words.metric_base(base) + _unit(evaluation, base) for base in bases]
    kinds = ("", *([""] if several else []), *("number",) * len(bases))
    total = f"{len(evaluation.case_values):,}"
    cut = len(shown) < len(evaluation.case_values)
    note = tag("p", words("cases.values.cut", n=f"{len(shown):,}", total=total), class_="note") if cut else None
    return fold(words("cases.values", n=total), note, table(head, rows, kinds))


def _value(case: CaseValues, base: str, name: str) -> float | None:
    return case.values.get(f"{base}/{name}" if name else base)


def _digits(shown: tuple[CaseValues, ...], base: str, evaluation: Evaluation) -> int:
    unit = evaluation.metrics[base].unit if base in evaluation.metrics else "any"
    values = [value for case in shown for key, value in case.values.items() if key.partition("/")[0] == base]
    return max(2, decimals(values, unit))


def _unit(evaluation: Evaluation, base: str) -> str:
    text = unit_text(evaluation.metrics[base].unit) if base in evaluation.metrics else ""
    return f",{text}" if text else ""
