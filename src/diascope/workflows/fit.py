"""fit, the main job: curate, plan, train, evaluate, candidate release, report."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diascope.core.case import Dataset
from diascope.core.evaluation import Evaluation, Release
from diascope.core.plan import Plan
from diascope.core.run import Run
from diascope.engine.devices import peak_memory_gb
from diascope.engine.fit import load_weights
from diascope.engine.progress import Tell, silent
from diascope.planning.budget import Budget
from diascope.reports.words import choose
from diascope.sources import Request
from diascope.sources.publicsets.locating import located
from diascope.stages.evaluate import evaluate_run
from diascope.stages.explain import explain_cases
from diascope.stages.release import candidate
from diascope.stages.report import report
from diascope.stages.train import train
from diascope.store.workspace import Workspace
from diascope.workflows.prepare import prepare

EXPLAINED = 4
"""Cases in the gallery of explanations."""


@dataclass(frozen=True)
class Fitted:
    """What `fit` made, with where it is."""

    dataset: str
    plan: Path
    run: Path
    evaluation: Evaluation
    release: Release
    release_folder: Path
    report: Path
    minutes: Mapping[str, float]
    memory_gb: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        """What `diascope fit --json` prints."""
        return {
            "dataset": self.dataset,
            "plan": str(self.plan),
            "run": str(self.run),
            "evaluation": self.evaluation.model_dump(mode="json", exclude={"figures", "cases_ranked"}),
            "release": str(self.release_folder),
            "report": str(self.report),
            "minutes": dict(self.minutes),
            "memory_gb": dict(self.memory_gb),
        }


def fit(
    workspace: Workspace,
    request: Request,
    budget: Budget,
    by_hand: Mapping[str, Any],
    tell: Tell = silent,
    lang: str = "en",
    begin: str | None = None,
) -> Fitted:
    """From a folder to a candidate release and its report.

    Args:
        workspace: Everything is written there.
        request: Which data, which target.
        budget: Time and memory.
        by_hand: Plan fields set by the user.
        tell: Told about progress.
        lang: Language of the report.
        begin: Release or pretrained encoder whose weights are started from.

    Raises:
        DataRefused: When the data must not be trained on.
        DoesNotFit: When nothing fits the budget.
    """
    choose(lang)  # another language is refused before the work
    located(request.location, tell)  # fetched before the clock starts: the minutes are those of the work
    began = time.monotonic()
    _, plan_path = prepare(workspace, request, budget, by_hand, tell, begin)
    _, run_folder = train(workspace, plan_path, tell=tell)
    return finish(workspace, run_folder, (began, tell, lang))


def finish(workspace: Workspace, run_folder: Path, setting: tuple[float, Tell, str]) -> Fitted:
    """Evaluate a run, pack the candidate, write the report."""
    began, tell, lang = setting
    run, made = Run.read(run_folder / "run.json"), Plan.read(run_folder / "plan.json")
    evaluated = evaluate_run(workspace, run_folder, tell)
    release, folder = candidate(workspace, run_folder, evaluated.folder, tell)
    evaluation = evaluated.evaluation.model_copy(update={"release": release.label})
    minutes = {"predicted": made["predicted_minutes"], "actual": round((time.monotonic() - began) / 60, 2)}
    memory = {"predicted": made["predicted_gb"], "actual": round(peak_memory_gb(), 2)}
    path = workspace.reports / f"{release.label}.html"
    made_of = Fitted(
        run.dataset, run_folder / "plan.json", run_folder, evaluation, release, folder, path, minutes, memory
    )
    write_report(workspace, made_of, tell, lang)
    minutes["actual"] = round((time.monotonic() - began) / 60, 2)
    return made_of


def write_report(workspace: Workspace, fitted: Fitted, tell: Tell, lang: str) -> None:
    """Explain some cases, and write the report where `fitted` says that it is."""
    tell({"event": "phase", "message": "explaining and writing the report"})
    run, made = Run.read(fitted.run / "run.json"), Plan.read(fitted.plan)
    dataset_folder = workspace.find("datasets", run.dataset)
    dataset = Dataset.read(dataset_folder / "dataset.json")
    explained = _explained(fitted.run, run, made, dataset, fitted.evaluation)
    cost = {
        "predicted_minutes": fitted.minutes["predicted"],
        "actual_minutes": fitted.minutes["actual"],
        "predicted_gb": fitted.memory_gb["predicted"],
        "actual_gb": fitted.memory_gb["actual"],
    }
    report(fitted.release_folder, fitted.run, dataset_folder, fitted.report, cost, explained, lang)


def _explained(run_folder: Path, run: Run, made: Plan, dataset: Dataset, evaluation: Evaluation) -> tuple[Any, ...]:
    ranked = [one.case for one in evaluation.cases_ranked]
    wanted = dict.fromkeys([*ranked[:2], *ranked[::-1][:2]])
    by_id = {case.id: case for case in dataset.cases}
    cases = [by_id[name] for name in wanted][:EXPLAINED]
    network = load_weights(made, run_folder / run.members[0].weights)
    return explain_cases(network, made, cases, Path(dataset.root), decision=evaluation.decision)
