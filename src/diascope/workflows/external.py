"""external: look at other labelled data, then measure one release on it, or compare two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from diascope.checks.judging.verdict import accepting, verdict
from diascope.core.errors import DataRefused
from diascope.core.evaluation import Evaluation
from diascope.engine.progress import Tell, silent
from diascope.planning.looked import Looked
from diascope.sources import Request
from diascope.stages.check import look
from diascope.stages.compare import compare
from diascope.stages.validate import validate
from diascope.store.releases import open_release
from diascope.store.workspace import Workspace


def evaluate_release(
    workspace: Workspace, release: str, request: Request, tell: Tell = silent
) -> tuple[Evaluation, Path]:
    """External validation of a release; the data is checked first, as for training.

    Returns:
        The evaluation and its file.

    Raises:
        DataRefused: When a check refuses the data and the finding was not accepted.
    """
    folder = workspace.find("releases", release)
    return validate(workspace, folder, _looked(folder, request, tell), tell)


def compare_releases(
    workspace: Workspace, releases: tuple[str, str], request: Request, tell: Tell = silent
) -> dict[str, Any]:
    """Compare two releases on labelled data that is checked first; see `stages/compare.py`."""
    one, other = (workspace.find("releases", name) for name in releases)
    return compare(workspace, (one, other), _looked(one, request, tell), tell)


def _looked(release: Path, request: Request, tell: Tell) -> Looked:
    task = open_release(release).release.task
    looked = look(request.model_copy(update={"task": task}), tell)
    tell({"event": "checked", "problems": looked.problems})
    refusing = verdict(looked.problems, len(looked.cases), request.accept)
    if refusing:
        raise DataRefused(
            "the data was refused: " + "; ".join(f"{one.title} ({one.check})" for one in refusing),
            todo=f"Mend the data, or accept with {accepting(refusing)}",
        )
    return looked
