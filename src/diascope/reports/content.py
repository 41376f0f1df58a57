"""What a report is made of, gathered by the stage that writes it."""

from __future__ import annotations

from dataclasses import dataclass

from diascope.core.case import Dataset
from diascope.core.evaluation import Evaluation, Release
from diascope.core.figure import Figure
from diascope.core.plan import Fingerprint, Plan
from diascope.core.problem import Problem


@dataclass(frozen=True)
class ReportContent:
    """Everything that `report.html` shows.

    Args:
        title: Of the page.
        evaluation: What was measured.
        release: What may be used; None where none was made.
        plan: What was decided and why.
        fingerprint: What the data is.
        dataset: The cases and their split.
        problems: What the data check found.
        training: Curves of the training.
        explanations: Galleries of explanations that passed their check.
        cost: `predicted_minutes`, `actual_minutes`, `predicted_gb`, `actual_gb`; what is absent is not shown.
        environment: Name to version, of programs and machine.
        reproduce: Commands, one a line.
    """

    title: str
    evaluation: Evaluation
    release: Release | None
    plan: Plan
    fingerprint: Fingerprint
    dataset: Dataset
    problems: tuple[Problem, ...]
    training: tuple[Figure, ...]
    explanations: tuple[Figure, ...]
    cost: dict[str, float]
    environment: dict[str, str]
    reproduce: tuple[str, ...]
