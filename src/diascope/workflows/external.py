"""external: look at other labelled data, then measure one release on it, or compare two."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diascope.checks.judging.verdict import accepting, blamed, in_words, verdict
from diascope.core.errors import DataRefused
from diascope.core.evaluation import Evaluation
from diascope.core.figure import Figure
from diascope.engine.aligning import aligned
from diascope.engine.devices import peak_memory_gb
from diascope.engine.fit import load_weights
from diascope.engine.progress import Tell, silent
from diascope.planning.looked import Looked
from diascope.planning.scope import in_scope
from diascope.planning.seen import unseen
from diascope.reports.words import choose
from diascope.sources import Request
from diascope.sources.publicsets.locating import located
from diascope.stages.check import look
from diascope.stages.compare import compare
from diascope.stages.explain import explain_cases
from diascope.stages.validate import External, validate, validation_report
from diascope.store.releases import OpenRelease, open_release
from diascope.store.workspace import Workspace

EXPLAINED = 2
"""Worst and best cases in the gallery of explanations, of each."""


@dataclass(frozen=True)
class Validated:
    """What `evaluate` made, with where it is: the keys of `fit`, without a run and a prediction of the cost."""

    evaluation: Evaluation
    file: Path
    release_folder: Path
    report: Path
    minutes: Mapping[str, float | None]
    memory_gb: Mapping[str, float | None]

    def to_json(self) -> dict[str, Any]:
        """What `diascope evaluate --json` prints."""
        return {
            "dataset": self.evaluation.dataset,
            "plan": str(self.release_folder / "plan.json"),
            "run": None,
            "evaluation": self.evaluation.model_dump(mode="json", exclude={"figures", "cases_ranked"}),
            "release": str(self.release_folder),
            "report": str(self.report),
            "minutes": dict(self.minutes),
            "memory_gb": dict(self.memory_gb),
            "file": str(self.file),
        }


def evaluate_release(
    workspace: Workspace, release: str, request: Request, tell: Tell = silent, lang: str = "en"
) -> Validated:
    """External validation of a release, with a report; the data is checked first, as for training.

    Args:
        workspace: Where the evaluation and the report go.
        release: Its name or folder.
        request: Which data; the release's own target is meant where none is named.
        tell: Told about progress.
        lang: Language of the report.

    Raises:
        DataRefused: When a check refuses the data and the finding was not accepted, or its labels are others.
    """
    choose(lang)  # another language is refused before the work
    located(request.location, tell)  # fetched before the clock starts: the minutes are those of the work
    began = time.monotonic()
    opened = open_release(workspace.find("releases", release))
    looked = _looked([opened], request, tell)
    evaluation, file = validate(workspace, opened, looked, request.accept, tell)
    tell({"event": "phase", "message": "explaining and writing the report"})
    explained = _explained(opened, looked, evaluation)
    memory = {"predicted": None, "actual": round(peak_memory_gb(), 2)}
    made = External(opened, looked, evaluation, request.location)
    spent = {"actual_minutes": round((time.monotonic() - began) / 60, 2), "actual_gb": memory["actual"] or 0.0}
    report = workspace.reports / f"{file.stem}.html"
    validation_report(made, report, spent, explained, lang)
    minutes = {"predicted": None, "actual": round((time.monotonic() - began) / 60, 2)}
    return Validated(evaluation, file, opened.folder, report, minutes, memory)


def compare_releases(
    workspace: Workspace, releases: tuple[str, str], request: Request, tell: Tell = silent
) -> dict[str, Any]:
    """Compare two releases on labelled data that is checked first; see `stages/compare.py`."""
    one, other = (open_release(workspace.find("releases", name)) for name in releases)
    return compare(workspace, (one, other), _looked([one, other], request, tell), request.accept, tell)


def _looked(releases: Sequence[OpenRelease], request: Request, tell: Tell) -> Looked:
    asked = request.model_copy(update={"task": releases[0].release.task})
    looked = look(asked, tell, plans=[opened.plan for opened in releases])
    for opened in releases:
        looked = in_scope(opened, unseen(opened, looked))
    tell({"event": "checked", "problems": looked.problems})
    refusing = verdict(looked.problems, len(looked.cases), request.accept)
    if refusing:
        raise DataRefused(
            in_words(refusing),
            given=request.location,
            todo=f"Mend the data, or accept with {accepting(refusing)}",
            cases=blamed(refusing),
        )
    return looked


def _explained(opened: OpenRelease, looked: Looked, evaluation: Evaluation) -> tuple[Figure, ...]:
    ranked = [one.case for one in evaluation.cases_ranked]
    wanted = dict.fromkeys([*ranked[:EXPLAINED], *ranked[::-1][:EXPLAINED]])
    of_id = {case.id: case for case in looked.usable()}
    if looked.target is None:
        return ()
    cases = aligned([of_id[name] for name in wanted], looked.target, opened.plan)
    network = load_weights(opened.plan, opened.folder / opened.release.members[0])
    return explain_cases(network, opened.plan, cases, looked.survey.root, decision=evaluation.decision)
