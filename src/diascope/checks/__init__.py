"""Checks: each module looks for one thing that is wrong, or worth knowing, about a data set."""

from __future__ import annotations

from typing import Protocol

from diascope.core.problem import Problem
from diascope.planning.survey import Survey


class Check(Protocol):
    """What a file in this folder provides as `CHECK`."""

    title: str
    """What it looks for, in one line."""

    def look(self, survey: Survey) -> list[Problem]:
        """Look at a survey (every case read once). Never reads more than a few files itself."""
        ...
