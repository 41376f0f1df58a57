"""A source that was listed, read once and checked; nothing is frozen yet."""

from __future__ import annotations

from dataclasses import dataclass

from diascope.core.case import Case, Target
from diascope.core.problem import Problem
from diascope.planning.survey import Survey


@dataclass(frozen=True)
class Looked:
    """What `check` knows and `curate` freezes.

    Args:
        source: Name of the source plug-in.
        cases: All cases, as listed.
        notes: What the source noticed.
        task: What would be learnt; None where only the data was looked at.
        target: Of that task.
        survey: Every case read once.
        problems: What the checks, the source and the task found.
        licence: Of the data, as its source states it; empty where it does not.
    """

    source: str
    cases: tuple[Case, ...]
    notes: tuple[str, ...]
    task: str | None
    target: Target | None
    survey: Survey
    problems: tuple[Problem, ...]
    licence: str = ""

    def usable(self) -> list[Case]:
        """The cases that could be read and that no check takes out."""
        out = {case for problem in self.problems for case in problem.exclude} | set(self.survey.unreadable)
        return [case for case in self.cases if case.id not in out]

    def warnings(self) -> list[str]:
        """What an evaluation must say of the data: each finding above a note, with the check that made it."""
        return [f"{one.title} ({one.check})" for one in self.problems if one.severity != "note"]
