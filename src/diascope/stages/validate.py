"""validate: a release measured on other labelled data (external validation). The verb is `evaluate RELEASE SOURCE`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import diascope
from diascope.core import registry
from diascope.core.case import Case, Dataset, Exclusion, Stratum, Target
from diascope.core.evaluation import Evaluation
from diascope.core.figure import Figure
from diascope.core.plan import Fingerprint
from diascope.core.record import write_durably
from diascope.engine.ablation import ablation
from diascope.engine.aligning import aligned, in_values_of, measurable
from diascope.engine.devices import describe
from diascope.engine.given import UNKNOWN_TRAINING, is_given
from diascope.engine.importance import Asked, importance
from diascope.engine.measuring import measured
from diascope.engine.opening import ready
from diascope.engine.progress import Tell, silent
from diascope.engine.scoring import observe
from diascope.planning.fingerprint import fingerprint
from diascope.planning.looked import Looked
from diascope.planning.scope import to_measure
from diascope.reports.content import ReportContent
from diascope.reports.galleries import worst_and_best
from diascope.reports.html import render_report
from diascope.store.releases import OpenRelease
from diascope.store.workspace import Workspace, free_name


@dataclass(frozen=True)
class External:
    """A release measured on other data.

    Args:
        opened: The release.
        looked: The data.
        evaluation: What was measured.
        location: Of the data, as the user gave it.
    """

    opened: OpenRelease
    looked: Looked
    evaluation: Evaluation
    location: str


def validate(
    workspace: Workspace, opened: OpenRelease, looked: Looked, accepted: Sequence[str] = (), tell: Tell = silent
) -> tuple[Evaluation, Path]:
    """Measure a release, with its own locked decision, on the test part of other data; on all of it where it has none.

    Args:
        workspace: Where `evaluations/` is.
        opened: The release.
        looked: The data, checked.
        accepted: Findings of the check that a person accepted.
        tell: Told about progress.

    Returns:
        The evaluation and its file.

    Raises:
        DataRefused: When the data has no target, other labels than the release, or no case is left.
    """
    target, kept, of_parts = to_measure(looked)
    cases = aligned(kept, target, opened.plan)
    release, task = opened.release, registry.get("tasks", opened.plan.task)
    plan, of_labels = in_values_of(target, opened.plan)
    opening = ready(replace(opened, plan=plan))
    reader = opening.reader

    def each(done: int, total: int) -> None:
        tell({"event": "progress", "what": "reading", "done": done, "total": total})

    seen = observe(reader, cases, looked.survey.root, plan, each)
    rows = [task.decide(one.row, release.decision, plan) for one in seen]
    found = measured(plan, rows, cases, release.decision, "external", release.label)
    pictures = [
        *ablation(Asked(reader, cases, release.decision), plan, looked.survey.root),
        *importance([Asked(reader, cases, release.decision)], plan, looked.survey.root),
        *worst_and_best(reader, found, cases, looked.survey.root),
    ]
    elsewhere = UNKNOWN_TRAINING if is_given(plan) else ""
    found = found.model_copy(
        update={
            "dataset": str(looked.survey.root),
            "figures": (*found.figures, *pictures),
            "accepted": tuple(accepted),
            "backend": opening.words,
            "warnings": (*filter(None, (elsewhere, of_parts, of_labels)), *opening.notes, *looked.warnings()),
        }
    )
    name = free_name(workspace.evaluations, f"{release.label}-external", ".json")
    path = workspace.evaluations / f"{name}.json"
    found.write(path)
    return found, path


def validation_report(
    made: External, path: Path, cost: Mapping[str, float], explanations: Sequence[Figure] = (), lang: str = "en"
) -> None:
    """Write the report of a release on other data.

    Args:
        made: What was measured on what.
        path: Where to write.
        cost: Actual minutes and GB.
        explanations: Galleries from `explain`.
        lang: `en` or `zh-CN`.
    """
    opened, looked = made.opened, made.looked
    words = ["diascope", "evaluate", opened.release.label, made.location, "--source", looked.source]
    words += ["--target", _asked(looked.target)] if looked.target is not None and looked.target.columns else []
    dataset = _dataset(made)
    content = ReportContent(
        title=f"{opened.release.label} · {dataset.name}",
        evaluation=made.evaluation,
        release=opened.release,
        plan=opened.plan,
        fingerprint=_facts(dataset, looked),
        dataset=dataset,
        problems=looked.problems,
        training=(),
        explanations=tuple(explanations),
        cost=dict(cost),
        environment={**describe(), "diascope": diascope.__version__, "python": sys.version.split()[0]},
        reproduce=(shlex.join(words),),
    )
    write_durably(path, render_report(content, lang).encode())


def _asked(target: Target) -> str:
    """How a target is asked for on the command line."""
    return target.name if len(target.columns) == 1 else ",".join(target.columns)


def _dataset(made: External) -> Dataset:
    """The cases that were measured, for the report."""
    looked, opened = made.looked, made.opened
    out = {case: (problem.check, problem.title) for problem in looked.problems for case in problem.exclude}
    out |= {case: ("unreadable", reason) for case, reason in looked.survey.unreadable.items()}
    return Dataset(
        name=Path(made.location).name or "data",
        source=looked.source,
        root=str(looked.survey.root),
        task=opened.plan.task,
        target=looked.target or opened.plan.target,
        cases=tuple(case.model_copy(update={"split": "test"}) for case in measurable(looked.usable())[0]),
        given_split=True,
        exclusions=tuple(Exclusion(case=case, check=check, reason=why) for case, (check, why) in sorted(out.items())),
        accepted=made.evaluation.accepted,
        notes=looked.notes,
    )


def _facts(dataset: Dataset, looked: Looked) -> Fingerprint:
    """What the inputs are; nothing of it was trained on, so that there are no training strata."""
    stratum = partial(_stratum, task=dataset.task, dataset=dataset)
    whole = dataset.model_copy(
        update={"cases": tuple(case.model_copy(update={"split": "train"}) for case in dataset.cases)}
    )
    return fingerprint(whole, looked.survey, stratum).model_copy(update={"strata": {}})


def _stratum(case: Case, task: str, dataset: Dataset) -> Stratum:
    found: Stratum = registry.get("tasks", task).stratum(case, dataset.target)
    return found
