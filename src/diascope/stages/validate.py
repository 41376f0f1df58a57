"""validate: a release measured on other labelled data (external validation). The verb is `evaluate RELEASE SOURCE`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

import diascope
from diascope.core import registry
from diascope.core.case import Case, Dataset, Exclusion
from diascope.core.errors import DataRefused
from diascope.core.evaluation import Evaluation, GateRule
from diascope.core.figure import Figure
from diascope.core.geometry import Geometry
from diascope.core.image import Image
from diascope.core.plan import Fingerprint
from diascope.core.problem import Problem
from diascope.core.record import write_durably
from diascope.engine.aligning import aligned, in_values_of, input_names, measurable
from diascope.engine.devices import describe
from diascope.engine.gate import broken_rules
from diascope.engine.measuring import measured
from diascope.engine.opening import ready
from diascope.engine.progress import Tell, silent
from diascope.engine.scoring import observe
from diascope.planning.fingerprint import fingerprint
from diascope.planning.looked import Looked
from diascope.planning.survey import CaseFacts, InputFactsOfCase
from diascope.reports.content import ReportContent
from diascope.reports.galleries import worst_and_best
from diascope.reports.html import render_report
from diascope.store.releases import OpenRelease
from diascope.store.workspace import Workspace, free_name

INPUT_GATE = "input_gate"
"""What the problem is called that `in_scope` finds."""


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


def in_scope(opened: OpenRelease, looked: Looked) -> Looked:
    """The data, with a warning of the cases that `predict` would refuse: asked of the survey, no pixel is read again.

    Args:
        opened: The release.
        looked: The data, checked.

    Raises:
        DataRefused: When a network of these dimensions and channels cannot read every case; names those it cannot.
    """
    cases, _ = measurable(looked.usable())
    names = input_names(cases[0], opened.plan) if cases else {}
    facts = {case.id: _of_release(looked.survey.facts[case.id], names) for case in cases}
    _refuse_unreadable(opened, facts)
    gate = opened.release.gate
    asked = {case: {name: _stand_in(one) for name, one in inputs.items()} for case, inputs in facts.items()}
    broken = {case: why for case, images in asked.items() if (why := broken_rules(gate, images))}
    if not broken:
        return looked
    problem = Problem(
        check=INPUT_GATE,
        severity="warn",
        title=f"predict would refuse {len(broken)} of {len(cases)} cases: {next(iter(broken.values()))[0]}",
        detail=f"{opened.release.label} was not made for them, by the rules of its input gate (its distance in feature "
        "space was not asked). They are measured all the same.",
        cases=tuple(broken),
    )
    return replace(looked, problems=(*looked.problems, problem))


def _of_release(facts: CaseFacts, names: Mapping[str, str]) -> dict[str, InputFactsOfCase]:
    """Facts of the images by the names of the release."""
    return {ours: facts.inputs[theirs] for ours, theirs in names.items() if theirs in facts.inputs}


def _refuse_unreadable(opened: OpenRelease, facts: Mapping[str, Mapping[str, InputFactsOfCase]]) -> None:
    for rule in opened.release.gate.rules:
        wrong = [case for case, inputs in facts.items() if rule.input in inputs and _unlike(rule, inputs[rule.input])]
        if wrong:
            one = facts[wrong[0]][rule.input]
            raise DataRefused(
                f"{opened.release.label} reads {rule.dimensions}-D images with {rule.channels} channel(s) as "
                f"{rule.input!r}, and {len(wrong)} of {len(facts)} cases hold others",
                given=f"{wrong[0]}: {_dimensions(one)}-D with {one.channels} channel(s)",
                todo="Leave these cases out, or use a release that was trained on such images",
                cases=wrong,
            )


def _unlike(rule: GateRule, facts: InputFactsOfCase) -> bool:
    """Whether an image has other dimensions, or channels that do not stand for each other as grey and colour do."""
    other = facts.channels != rule.channels and {facts.channels, rule.channels} != {1, 3}
    return other or _dimensions(facts) != rule.dimensions


def _dimensions(facts: InputFactsOfCase) -> int:
    return 2 if facts.shape[0] == 1 else 3


def _stand_in(facts: InputFactsOfCase) -> Image:
    """An image of a few voxels that the rules of a gate cannot tell from the one that the facts are of.

    Half of its voxels lie one standard deviation below the mean and half above; in colour the channels differ.
    """
    array = np.full((facts.channels, _dimensions(facts) - 1, 1, 2), facts.mean, dtype=np.float64)
    array += facts.std * np.array([-1.0, 1.0])
    if facts.coloured:
        array[1] = array[1, ..., ::-1].copy()
    if facts.bad:
        array[0] = np.nan
    geometry = Geometry.from_spacing(facts.steps) if facts.physical else Geometry.unknown()
    return Image(array, geometry, facts.modality, facts.unit)


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
    if looked.target is None:
        raise DataRefused("the data has no labels to compare with", todo="Give labels, or use diascope predict")
    kept, of_parts = measurable(looked.usable())
    if not kept:
        raise DataRefused("every case was excluded", given=str(looked.survey.root), todo="See diascope check")
    cases = aligned(kept, looked.target, opened.plan)
    release = opened.release
    plan, of_labels = in_values_of(looked.target, opened.plan)
    opening = ready(replace(opened, plan=plan))
    reader = opening.reader
    task = registry.get("tasks", plan.task)

    def each(done: int, total: int) -> None:
        tell({"event": "progress", "what": "reading", "done": done, "total": total})

    seen = observe(reader, cases, looked.survey.root, plan, each)
    rows = [task.decide(one.row, release.decision, plan) for one in seen]
    found = measured(plan, rows, cases, release.decision, "external", release.label)
    pictures = worst_and_best(reader, found, cases, looked.survey.root)
    warnings = [f"{one.title} ({one.check})" for one in looked.problems if one.severity != "note"]
    found = found.model_copy(
        update={
            "dataset": str(looked.survey.root),
            "figures": (*found.figures, *pictures),
            "accepted": tuple(accepted),
            "backend": opening.words,
            "warnings": (*filter(None, (of_parts, of_labels)), *opening.notes, *warnings),
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
    words += ["--target", looked.target.name] if looked.target is not None and looked.target.columns else []
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


def _stratum(case: Case, task: str, dataset: Dataset) -> str:
    return str(registry.get("tasks", task).stratum(case, dataset.target))
