"""Numbers in words, the same way in every check."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from diascope.core.figure import Bars

SHOWN = 5
"""Ids that a sentence names; a problem's `cases` has all of them."""


def count(number: int, noun: str, plural: str = "") -> str:
    """A number and its noun.

    >>> count(1, "case"), count(5232, "case"), count(2, "copy", "copies")
    ('1 case', '5,232 cases', '2 copies')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def share(part: int, whole: int, noun: str = "case") -> str:
    """A part of a whole, with its percentage.

    >>> share(10, 1998)
    '10 of 1,998 cases (0.5 %)'
    """
    return f"{part:,} of {count(whole, noun)} ({100 * part / max(whole, 1):.1f} %)"


def some(names: Iterable[str]) -> str:
    """The first few names.

    >>> some("abcdefg")
    'a, b, c, d, e and 2 more'
    """
    names = list(names)
    rest = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {rest:,} more" if rest > 0 else "")


def are(number: int) -> str:
    """`is` or `are`."""
    return "is" if number == 1 else "are"


def bars(title: str, counts: Sequence[tuple[str, float]], note: str = "", histogram: bool = False) -> Bars:
    """A bar chart from names and values; upright where the names are the bins of a distribution."""
    return Bars(
        title=title,
        names=tuple(name for name, _ in counts),
        values=tuple(float(value) for _, value in counts),
        note=note,
        histogram=histogram,
    )
