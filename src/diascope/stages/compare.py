"""compare: two releases on the same cases, with paired intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from diascope.core import registry
from diascope.core.case import Case, Target
from diascope.core.errors import BadUsage
from diascope.core.record import canonical_json, write_durably
from diascope.engine.aligning import aligned, in_values_of
from diascope.engine.given import UNKNOWN_TRAINING, is_given
from diascope.engine.opening import ready
from diascope.engine.progress import Tell, silent
from diascope.engine.scoring import observe
from diascope.engine.task import Scores
from diascope.evidence.comparison import compare as paired
from diascope.planning.looked import Looked
from diascope.planning.scope import to_measure
from diascope.store.releases import OpenRelease
from diascope.store.workspace import Workspace, free_name


def compare(
    workspace: Workspace,
    releases: tuple[OpenRelease, OpenRelease],
    looked: Looked,
    accepted: Sequence[str] = (),
    tell: Tell = silent,
) -> dict[str, Any]:
    """Compare two releases.

    Args:
        workspace: Where `evaluations/` is.
        releases: Two opened releases.
        looked: Labelled data, checked.
        accepted: Findings of the check that a person accepted.
        tell: Told about progress.

    Returns:
        `releases`, `cases`, `patients`, `accepted`, `warnings`, and for each metric `one`, `other`, `difference` (a
        measure), `p`, `method`.

    Raises:
        BadUsage: When the releases are for different tasks.
        DataRefused: When the data has no target that both know.
    """
    one, other = releases
    if one.release.task != other.release.task:
        raise BadUsage("the two releases are for different tasks", given=f"{one.release.task}, {other.release.task}")
    target, kept, of_parts = to_measure(looked)
    warnings = [of_parts, *(_on_labels(opened, target) for opened in releases)]
    warnings += [f"{opened.release.label}: {UNKNOWN_TRAINING}" for opened in releases if is_given(opened.plan)]
    warnings = [warning for warning in warnings if warning]
    for warning in warnings:
        tell({"event": "warning", "message": warning})
    scores = [_scores(opened, (target, kept, looked.survey.root), tell) for opened in (one, other)]
    patients = [case.patient for case in kept]
    found = paired(scores[0].statistics, scores[1].statistics, patients)
    warnings += looked.warnings()
    content = {
        "releases": [one.release.label, other.release.label],
        "cases": len(kept),
        "patients": len(set(patients)),
        "accepted": list(accepted),
        "warnings": warnings,
        "metrics": {name: result.model_dump(mode="json") for name, result in found.items()},
    }
    name = free_name(workspace.evaluations, f"{one.release.label}-against-{other.release.label}", ".json")
    path = workspace.evaluations / f"{name}.json"
    write_durably(path, (canonical_json(content, indent=1) + "\n").encode())
    return {**content, "file": str(path)}


def _on_labels(opened: OpenRelease, target: Target) -> str:
    note = in_values_of(target, opened.plan)[1]
    return f"{opened.release.label}: {note}" if note else ""


def _scores(opened: OpenRelease, data: tuple[Target, Sequence[Case], Path], tell: Tell) -> Scores:
    target, cases, root = data
    release, (plan, _) = opened.release, in_values_of(target, opened.plan)
    task = registry.get("tasks", plan.task)
    opening = ready(replace(opened, plan=plan))
    for note in opening.notes:
        tell({"event": "warning", "message": f"{release.label}: {note}"})

    def each(done: int, total: int) -> None:
        tell({"event": "progress", "what": f"reading with {release.label}", "done": done, "total": total})

    seen = observe(opening.reader, aligned(cases, target, plan), root, plan, each)
    scores: Scores = task.score([task.decide(row.row, release.decision, plan) for row in seen], plan)
    return scores
