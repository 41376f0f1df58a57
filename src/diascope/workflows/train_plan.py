"""train_plan: train a plan's file, then evaluate and pack it, as `fit` does after planning."""

from __future__ import annotations

import time
from pathlib import Path

from diascope.core.errors import BadUsage
from diascope.core.evaluation import Release
from diascope.core.plan import Plan
from diascope.core.run import Run
from diascope.engine.launching import is_launched
from diascope.engine.progress import Tell, silent
from diascope.reports.words import choose
from diascope.stages.plan import plan_from
from diascope.stages.train import train
from diascope.store.releases import open_release
from diascope.store.workspace import Workspace, process_rank
from diascope.workflows.fit import Fitted, finish, write_report


def train_plan(
    workspace: Workspace,
    plan_file: Path,
    options: tuple[bool, int],
    tell: Tell = silent,
    lang: str = "en",
    seed: int | None = None,
    begin: str | None = None,
) -> Fitted | None:
    """Train a plan.

    Args:
        workspace: Everything is written there.
        plan_file: The plan.
        options: Whether to resume; how many devices.
        tell: Told about progress.
        lang: Language of the report.
        seed: The plan's; None is the plan's, whatever it is.
        begin: Release or pretrained encoder whose weights are started from, where the plan names none.

    Returns:
        What was made; None on every process but the first of a distributed run.
    """
    began = time.monotonic()
    choose(lang)  # another language is refused before the work
    resume, devices = options
    if seed is not None and (planned := Plan.read(plan_file).seed) != seed:
        todo = "Choose a seed with diascope plan --seed"
        raise BadUsage(f"the seed of this plan is {planned}", given=f"--seed {seed}", todo=todo)
    if devices > 1 and not is_launched():
        raise BadUsage(
            "several devices need as many processes",
            given=f"devices={devices}",
            todo="Use diascope train PLAN --devices N, or start this program with torchrun",
        )
    if begin is not None:
        plan_file = plan_from(workspace, plan_file, begin, tell if process_rank() == 0 else silent)
    run, run_folder = train(workspace, plan_file, resume, devices, tell if process_rank() == 0 else silent)
    if process_rank() != 0:
        return None
    if resume and (folder := _released(workspace, run)):
        return _finished(workspace, run, (run_folder, folder), tell, lang)
    return finish(workspace, run_folder, (began, tell, lang))


def _released(workspace: Workspace, run: Run) -> Path | None:
    """The release that holds a run's weights."""
    wanted = [member.sha256 for member in run.members]
    for index in sorted(workspace.releases.glob("*/release.json")):
        release = Release.read(index)
        if [release.hashes.get(name) for name in release.members] == wanted:
            return index.parent
    return None


def _finished(workspace: Workspace, run: Run, folders: tuple[Path, Path], tell: Tell, lang: str) -> Fitted:
    """What an earlier command made of this run; nothing is done again, and a report that is missing is written."""
    run_folder, folder = folders
    opened = open_release(folder)
    tell({"event": "phase", "message": f"{opened.release.label} was made of this run before: nothing is left to do"})
    fitted = Fitted(
        dataset=run.dataset,
        plan=run_folder / "plan.json",
        run=run_folder,
        evaluation=opened.evaluation,
        release=opened.release,
        release_folder=folder,
        report=workspace.reports / f"{opened.release.label}.html",
        minutes={"predicted": opened.plan["predicted_minutes"], "actual": run.actual_minutes},
        memory_gb={"predicted": run.predicted_gb, "actual": run.actual_gb},
    )
    if not fitted.report.exists():  # it was killed after the release was packed
        write_report(workspace, fitted, tell, lang)
    return fitted
