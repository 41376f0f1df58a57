"""Which cases a release was made from, by marks of their inputs: they say nothing about it and are left out."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from diascope.core.case import Case, FileRef, TableRef
from diascope.core.plan import Plan
from diascope.core.problem import Problem
from diascope.core.record import hash_of
from diascope.planning.looked import Looked
from diascope.privacy.pseudonym import pseudonym
from diascope.store.files import file_digest
from diascope.store.releases import OpenRelease

SEEN = "seen.json"
"""File of a release."""
DIGITS = 16
"""Of a file's SHA-256 that are kept."""
MOSTLY = 0.5
"""Share of rows that must be known: some rows of few values are equal by chance."""


def marks(case: Case, root: Path, plan: Plan) -> set[str]:
    """What tells a case again: the bytes of its files, and the values of its table.

    A file's hash says nothing of what is in it. The values of a row could be guessed from theirs: they are marked with
    the key of this machine, and are known again on this machine alone.
    """
    found = set()
    for name, given in case.inputs.items():
        if isinstance(given, FileRef):
            paths = [root / path for path in given.paths]
            digest = given.digest or (file_digest(paths) if all(path.is_file() for path in paths) else "")
            found |= {f"file-{hash_of([digest, given.item])[:DIGITS]}"} if digest else set()
        elif isinstance(given, TableRef):
            columns = plan["readings"].get(name, {}).get("columns", ())
            row = {column: given.values[column] for column in columns if given.values.get(column) is not None}
            if row:
                found.add(pseudonym(hash_of(row), "row"))
    return found


def to_json(cases: Iterable[Case], root: Path, plan: Plan) -> bytes:
    """The content of `seen.json`: the marks of cases that a release was trained, calibrated or chosen with."""
    return json.dumps({"marks": sorted(set().union(*(marks(case, root, plan) for case in cases)))}, indent=0).encode()


def unseen(opened: OpenRelease, looked: Looked) -> Looked:
    """The data without the cases that a release was made from; rows of a table that are mostly known are told of."""
    path = opened.folder / SEEN
    if not path.exists():  # a release of before, or one that learnt nothing
        return looked
    known = set(json.loads(path.read_text(encoding="utf-8"))["marks"])
    usable = looked.usable()
    of_cases = {case.id: marks(case, looked.survey.root, opened.plan) & known for case in usable}
    files = tuple(case for case, found in of_cases.items() if any(one.startswith("file-") for one in found))
    rows = tuple(case for case, found in of_cases.items() if found and case not in files)
    problems = []
    if files:
        problems.append(_left_out(opened.release.label, files, len(usable)))
    if len(rows) > MOSTLY * len(usable):
        problems.append(_known_rows(opened.release.label, rows, len(usable)))
    return replace(looked, problems=(*looked.problems, *problems))


def _left_out(label: str, cases: tuple[str, ...], count: int) -> Problem:
    return Problem(
        check="seen_before",
        severity="warn",
        title=f"{len(cases)} of {count} cases were used to make {label}: left out",
        detail="Their files are those that it was trained or calibrated with, byte for byte. What it says about them "
        "shows its memory, not what it can do.",
        cases=cases,
        exclude=cases,
    )


def _known_rows(label: str, cases: tuple[str, ...], count: int) -> Problem:
    return Problem(
        check="seen_before",
        severity="warn",
        title=f"{len(cases)} of {count} rows are equal to rows that {label} was made from",
        detail="So many are no chance: this is data that it was trained or calibrated with, and the figures are too "
        "good.",
        cases=cases,
    )
