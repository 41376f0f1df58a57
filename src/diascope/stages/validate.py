"""validate: a release measured on other labelled data (external validation). The verb is `evaluate RELEASE SOURCE`."""

from __future__ import annotations

from pathlib import Path

from diascope.core import registry
from diascope.core.errors import DataRefused
from diascope.core.evaluation import Evaluation
from diascope.engine.aligning import aligned
from diascope.engine.measuring import measured
from diascope.engine.opening import reader_of
from diascope.engine.progress import Tell, silent
from diascope.engine.scoring import observe
from diascope.planning.looked import Looked
from diascope.reports.galleries import worst_and_best
from diascope.store.releases import open_release
from diascope.store.workspace import Workspace, free_name


def validate(workspace: Workspace, release: Path, looked: Looked, tell: Tell = silent) -> tuple[Evaluation, Path]:
    """Measure a release, with its own locked decision, on every case that was looked at.

    Args:
        workspace: Where `evaluations/` is.
        release: Its folder.
        looked: The data, checked.
        tell: Told about progress.

    Returns:
        The evaluation and its file.

    Raises:
        DataRefused: When the data has no target, or other labels than the release.
    """
    opened = open_release(release)
    plan = opened.plan
    if looked.target is None:
        raise DataRefused("the data has no labels to compare with", todo="Give labels, or use diascope predict")
    kept = looked.usable()
    cases = aligned(kept, looked.target, plan)
    reader = reader_of(opened)
    task = registry.get("tasks", plan.task)

    def each(done: int, total: int) -> None:
        tell({"event": "progress", "what": "reading", "done": done, "total": total})

    seen = observe(reader, cases, looked.survey.root, plan, each)
    rows = [task.decide(one.row, opened.release.decision, plan) for one in seen]
    found = measured(plan, rows, cases, opened.release.decision, "external", opened.release.label)
    pictures = worst_and_best(reader, found, cases, looked.survey.root)
    found = found.model_copy(
        update={
            "dataset": str(looked.survey.root),
            "figures": (*found.figures, *pictures),
            "backend": f"{opened.release.backend} {opened.release.precision}",
            "warnings": tuple(f"{one.title} ({one.check})" for one in looked.problems if one.severity != "note"),
        }
    )
    name = free_name(workspace.evaluations, f"{opened.release.label}-external", ".json")
    path = workspace.evaluations / f"{name}.json"
    found.write(path)
    return found, path
