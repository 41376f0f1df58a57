"""Several columns that each say whether something is present, as one target of kind `labels`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from diascope.core.case import Label, Target
from diascope.core.errors import BadUsage, DataRefused, UnknownName
from diascope.core.presence import LABELS, UNCERTAIN, Presence
from diascope.formats.tables.words import number_of
from diascope.sources.tables.columns import ALL_FINDINGS, FINDINGS, SAYS_ABSENT, SAYS_PRESENT, SAYS_UNCERTAIN

FEWEST = 3
"""Columns of presence that are learnt together without being asked for, where nothing else could be learnt."""
NUMBERS: Mapping[float, Presence] = {1.0: 1, 0.0: 0, -1.0: UNCERTAIN}
"""As CheXpert writes it (Irvin 2019)."""


def columns_asked(asked: str | None, columns: Collection[str]) -> tuple[str, ...]:
    """The columns that `--target A,B,C` names, in that order; none where it names one alone.

    Raises:
        UnknownName: When one of them is not there.
    """
    if asked is None or "," not in asked or asked in columns:
        return ()
    names = tuple(part.strip() for part in asked.split(","))
    for name in names:
        if name not in columns:
            raise UnknownName("target column", name, columns)
    if len(set(names)) < len(names):
        raise BadUsage("a target column was named twice", given=asked, todo="Name each column once")
    return names


def target_of(columns: Sequence[str], taken: Collection[str] = ()) -> Target:
    """What is learnt from some columns: one label each, in their order.

    Args:
        columns: Keys of `Case.targets`.
        taken: Names that mean something else.
    """
    labels = tuple(Label(name=name, value=place) for place, name in enumerate(columns))
    name = FINDINGS if FINDINGS not in taken else ALL_FINDINGS
    return Target(name=name, kind=LABELS, columns=tuple(columns), labels=labels)


def says_presence(cells: Iterable[str | None]) -> bool:
    """Whether a column holds nothing but what `said` understands, both present and absent among it."""
    found = {_of(cell) for cell in cells if cell is not None}
    return "strange" not in found and {0, 1} <= found


def said(cell: str | None, column: str) -> Presence:
    """What a cell says.

    Raises:
        DataRefused: When it says neither present, absent nor uncertain.
    """
    if cell is None:
        return None
    found = _of(cell)
    if found == "strange":
        raise DataRefused(
            f"the column {column!r} does not say whether it is present",
            given=cell,
            todo="Write 1 (present), 0 (absent), -1 (uncertain), or leave the cell empty",
        )
    return found  # type: ignore[return-value]


def _of(cell: str) -> Presence | str:
    number = number_of(cell)
    if number is not None:
        return NUMBERS.get(number, "strange")
    word = cell.strip().lower()
    if word in SAYS_PRESENT:
        return 1
    if word in SAYS_ABSENT:
        return 0
    return UNCERTAIN if word in SAYS_UNCERTAIN else "strange"
