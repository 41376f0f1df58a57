"""plan: from a data set's fingerprint and a budget to a plan that a person can read and edit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diascope.core.case import Dataset
from diascope.core.plan import Fingerprint, Plan
from diascope.engine.progress import Tell, silent
from diascope.planning.budget import Budget
from diascope.planning.planner import make_plan
from diascope.store.workspace import Workspace, free_name


def plan(
    workspace: Workspace, dataset: Path, budget: Budget, by_hand: Mapping[str, Any], seed: int = 0, tell: Tell = silent
) -> tuple[Plan, Path]:
    """Make a plan for a data set and write it.

    Args:
        workspace: Where `plans/` is.
        dataset: Folder of the data set.
        budget: Time and memory.
        by_hand: Plan fields set by the user.
        seed: Of all randomness of the run.
        tell: Told about progress.

    Returns:
        The plan and its file.
    """
    frozen = Dataset.read(dataset / "dataset.json")
    facts = Fingerprint.read(dataset / "fingerprint.json")

    def say(message: str) -> None:
        tell({"event": "phase", "message": message})

    made = make_plan(frozen, facts, budget, by_hand, seed, say)
    name = free_name(workspace.plans, f"{frozen.name}-{made.task}", ".json")
    path = workspace.plans / f"{name}.json"
    made.write(path)
    return made, path
