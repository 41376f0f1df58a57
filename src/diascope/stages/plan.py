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
from diascope.planning.starting import beginning, plan_started_from, started_from
from diascope.store.workspace import Workspace, free_name


def plan(
    workspace: Workspace,
    dataset: Path,
    budget: Budget,
    by_hand: Mapping[str, Any],
    seed: int = 0,
    tell: Tell = silent,
    begin: str | None = None,
) -> tuple[Plan, Path]:
    """Make a plan for a data set and write it.

    Args:
        workspace: Where `plans/` is.
        dataset: Folder of the data set.
        budget: Time and memory.
        by_hand: Plan fields set by the user.
        seed: Of all randomness of the run.
        tell: Told about progress.
        begin: Release or pretrained encoder whose weights are started from.

    Returns:
        The plan and its file.
    """
    frozen = Dataset.read(dataset / "dataset.json")
    facts = Fingerprint.read(dataset / "fingerprint.json")

    def say(message: str) -> None:
        tell({"event": "phase", "message": message})

    if begin is not None:
        by_hand = started_from(beginning(workspace, begin), workspace, frozen, by_hand, say)
    made = make_plan(frozen, facts, budget, by_hand, seed, say)
    name = free_name(workspace.plans, f"{frozen.name}-{made.task}", ".json")
    path = workspace.plans / f"{name}.json"
    made.write(path)
    return made, path


def plan_from(workspace: Workspace, plan_path: Path, begin: str, tell: Tell = silent) -> Path:
    """A plan's file with a start: another file beside the plans, the same one each time.

    Args:
        workspace: Where `plans/`, `datasets/` and the releases are.
        plan_path: Of a plan that starts from fresh weights.
        begin: Release or pretrained encoder whose weights are started from.
        tell: Told what was taken.
    """
    old, source = Plan.read(plan_path), beginning(workspace, begin)
    dataset = Dataset.read(workspace.find("datasets", old.dataset) / "dataset.json")

    def say(message: str) -> None:
        tell({"event": "phase", "message": message})

    made = plan_started_from(source, workspace, dataset, old, say)
    stem = plan_path.parent.name if plan_path.name == "plan.json" else plan_path.stem
    path = workspace.plans / f"{stem}-from-{source.label}.json"
    if path.is_file() and Plan.read(path) == made:
        return path
    path = workspace.plans / f"{free_name(workspace.plans, path.stem, '.json')}.json"
    made.write(path)
    return path
