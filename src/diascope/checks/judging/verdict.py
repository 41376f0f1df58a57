"""Which problems refuse a data set."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from diascope.checks.judging.words import share, some
from diascope.core.problem import Problem

MOST_EXCLUDED = 0.01
"""Largest share of the cases that may be left out without a person's consent."""
OF_COPIES = ("duplicates", "near_duplicates")
"""Checks that repair: of copies they leave out all but one, so that no picture is lost."""


def excluded(problems: Sequence[Problem]) -> dict[str, tuple[str, str]]:
    """Case id to the check that leaves it out and that problem's title; the first check counts."""
    found: dict[str, tuple[str, str]] = {}
    for problem in problems:
        for case in problem.exclude:
            found.setdefault(case, (problem.check, problem.title))
    return found


def verdict(problems: Sequence[Problem], n_cases: int, accepted: Collection[str] = ()) -> tuple[Problem, ...]:
    """The problems for which the data set is refused; none when it may be used.

    Args:
        problems: What all checks found.
        n_cases: Cases before anything is left out.
        accepted: Names of checks whose findings a person accepted (`--accept`).

    Returns:
        Problems of severity `refuse`, and those that lose cases when all of them together lose more than 1 % of the
        cases; without those that were accepted. A copy whose twin is kept is not lost.
    """
    open_ones = [problem for problem in problems if problem.check not in accepted]
    losing = [problem for problem in open_ones if _loses(problem)]
    too_many = len(excluded(losing)) > MOST_EXCLUDED * n_cases
    return tuple(problem for problem in open_ones if problem.severity == "refuse" or (too_many and problem in losing))


def _loses(problem: Problem) -> bool:
    """Whether pictures are lost: so when all copies are left out (their labels differ), not when a twin is kept."""
    keeps_a_twin = problem.check in OF_COPIES and set(problem.exclude) < set(problem.cases)
    return bool(problem.exclude) and not keeps_a_twin


def in_words(refusing: Sequence[Problem]) -> str:
    """Why a data set is refused, with the names of some cases of each problem."""
    named = (one.title + (f": {some(one.cases)}" if one.cases else "") + f" ({one.check})" for one in refusing)
    return f"the data was refused: {'; '.join(named)}"


def because(refusing: Sequence[Problem], n_cases: int) -> tuple[str, ...]:
    """Why a data set is refused and what to do, line by line; empty where nothing refuses it."""
    lines = [f"because {one.title}" for one in refusing if one.severity == "refuse"]
    if lost := len(excluded([one for one in refusing if one.severity != "refuse"])):
        lines.append(
            f"because {share(lost, n_cases)} would be left out: more than {MOST_EXCLUDED:.0%} is your decision"
        )
    return (*lines, f"mend the data, or accept with {accepting(refusing)}") if lines else ()


def blamed(refusing: Sequence[Problem]) -> tuple[str, ...]:
    """Ids of every case of these problems."""
    return tuple(dict.fromkeys(case for one in refusing for case in one.cases))


def accepting(refusing: Sequence[Problem]) -> str:
    """The options of the command line that accept all of these findings."""
    return " ".join(f"--accept {name}" for name in dict.fromkeys(problem.check for problem in refusing))
