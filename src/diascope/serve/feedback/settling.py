"""From what everybody said to one value for each label of each case, or to a disagreement."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from diascope.core.feedback import Disagreement, Kind, Value
from diascope.serve.feedback.judging import Judged

VALUES = ("class", "presence", "number")
"""Kinds of which two answers are the same, or are not."""


@dataclass
class Row:
    """A case of the table.

    Args:
        series: Id of its row in the index.
        case: Its name.
        patient: Pseudonym.
        values: Column to value.
        drawn: Column to what says where: a mask or boxes.
    """

    series: int
    case: str
    patient: str
    values: dict[str, Value] = field(default_factory=dict)
    drawn: dict[str, Judged] = field(default_factory=dict)


@dataclass(frozen=True)
class Settled:
    """What can be learnt.

    Args:
        rows: By case; each has a label.
        columns: Name to what it holds.
        disagreements: What is left open.
        notes: What was decided on the way, in words.
    """

    rows: tuple[Row, ...]
    columns: dict[str, Kind]
    disagreements: tuple[Disagreement, ...]
    notes: tuple[str, ...]


def settled(judged: Sequence[Judged], newest: bool = False) -> Settled:
    """One value for each label.

    Of one person the newest answer counts, also where it takes back an earlier one. Where two people say otherwise, no
    value is learnt, unless `newest` says that the last one decides. Two masks, or two sets of boxes, never are the
    same: there the newest counts.

    Args:
        judged: In any order.
        newest: Whether the newest answer counts where people disagree.
    """
    columns, notes = _columns(judged)
    rows: dict[int, Row] = {}
    open_ones, several = [], 0
    for (series, column), answers in _of_labels(judged, columns).items():
        last = answers[-1]
        if columns[column] in VALUES and not newest and len({repr(one.change.after) for one in answers}) > 1:
            open_ones.append(_disagreement(answers))
            continue
        row = rows.setdefault(series, Row(series, last.change.case, last.change.patient))
        if columns[column] in VALUES:
            row.values[column] = last.change.after
        else:
            row.drawn[column] = last
            several += len(answers) > 1
    if several:
        notes.append(f"{several} masks or sets of boxes were drawn by several people: the newest counts")
    known = {column for row in rows.values() for column in (*row.values, *row.drawn)}
    return Settled(
        rows=tuple(sorted(rows.values(), key=lambda row: row.case)),
        columns={column: kind for column, kind in columns.items() if column in known},
        disagreements=tuple(open_ones),
        notes=tuple(notes),
    )


def _columns(judged: Iterable[Judged]) -> tuple[dict[str, Kind], list[str]]:
    """What each column holds; of a name that is asked for in two ways, the first way counts."""
    columns: dict[str, Kind] = {}
    others: dict[str, int] = defaultdict(int)
    for one in sorted(judged, key=lambda one: one.at):
        if one.asked and one.is_label:
            kind = columns.setdefault(one.change.column, one.change.kind)
            others[one.change.column] += kind != one.change.kind
    notes = [
        f"{name!r} is asked for in two ways; {count} answers that are no {columns[name]} were left out"
        for name, count in others.items()
        if count
    ]
    return columns, notes


def _of_labels(judged: Iterable[Judged], columns: dict[str, Kind]) -> dict[tuple[int, str], list[Judged]]:
    """Series and column to the newest answer of each person that says what is right, the oldest first."""
    mine: dict[tuple[int, str], dict[str, Judged]] = defaultdict(dict)
    for one in sorted(judged, key=lambda one: (one.at, one.change.of)):
        change = one.change
        if one.asked and columns.get(change.column) == change.kind:
            mine[one.series, change.column].pop(change.author, None)  # the newest stands last
            mine[one.series, change.column][change.author] = one
    said = {key: [one for one in people.values() if one.is_label] for key, people in mine.items()}
    return {key: answers for key, answers in said.items() if answers}


def _disagreement(answers: Sequence[Judged]) -> Disagreement:
    first = answers[0].change
    said = tuple((one.change.author, one.change.after, one.change.at) for one in answers)
    return Disagreement(case=first.case, column=first.column, answers=said)
