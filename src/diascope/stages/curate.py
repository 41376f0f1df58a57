"""curate: from a folder to a frozen data set, after every case was looked at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from diascope.checks.judging.verdict import accepting, blamed, in_words, verdict
from diascope.core import registry
from diascope.core.case import Case, Dataset, Exclusion, FileRef, Stratum, TableRef, Target
from diascope.core.errors import BadUsage, DataRefused
from diascope.core.plan import Fingerprint
from diascope.core.problem import Problem, Problems
from diascope.planning.fingerprint import fingerprint
from diascope.planning.folding import FOLDS, folds, folds_by_rule, folds_of_few, split, unit, united
from diascope.planning.looked import Looked
from diascope.planning.survey import Survey
from diascope.sources import Request
from diascope.store.files import file_digest
from diascope.store.workspace import Workspace

LONGEST = 60
"""Characters of a data set's name that say which target was chosen: of many columns the first."""


@dataclass(frozen=True)
class Curated:
    """A frozen data set with what was found about it."""

    dataset: Dataset
    fingerprint: Fingerprint
    problems: tuple[Problem, ...]
    folder: Path


def curate(workspace: Workspace, looked: Looked, request: Request) -> Curated:
    """Freeze what was checked as a data set, split by patient.

    Args:
        workspace: Where `datasets/` is.
        looked: From `check`.
        request: What the user said.

    Raises:
        DataRefused: When a check refuses the data and the finding was not accepted.
    """
    task, target = looked.task, looked.target
    if task is None or target is None:
        raise DataRefused("nothing can be learnt from this source", given=request.location)
    refusing = verdict(looked.problems, len(looked.cases), request.accept)
    if refusing:
        raise DataRefused(
            in_words(refusing),
            given=request.location,
            todo=f"See diascope check {request.location}; mend the data, or accept with {accepting(refusing)}",
            cases=blamed(refusing),
        )
    dataset = _freeze(looked, request)
    stratum = partial(_stratum, task=task, target=target)
    facts = fingerprint(dataset, looked.survey, stratum)
    folder = workspace.datasets / f"{dataset.name}@{dataset.content_hash()[:12]}"
    dataset.write(folder / "dataset.json")
    facts.write(folder / "fingerprint.json")
    Problems(problems=looked.problems, notes=looked.notes).write(folder / "problems.json")
    request.model_copy(update={"location": _absolute(request.location)}).write(folder / "request.json")
    return Curated(dataset, facts, looked.problems, folder)


def _absolute(location: str) -> str:
    """A path that means the same from every folder; the names of public sets stay names."""
    return str(Path(location).resolve()) if Path(location).exists() else location


def _stratum(case: Case, task: str, target: Target) -> Stratum:
    found: Stratum = registry.get("tasks", task).stratum(case, target)
    return found


def _freeze(looked: Looked, request: Request) -> Dataset:
    task, target = str(looked.task), looked.target
    if target is None:
        raise DataRefused("no target")
    out = {case: (problem.check, problem.title) for problem in looked.problems for case in problem.exclude}
    out |= {case: ("unreadable", reason) for case, reason in looked.survey.unreadable.items()}
    kept = [_digested(case, looked.survey) for case in looked.cases if case.id not in out]
    if request.folds == 2:
        raise BadUsage("two folds leave nothing to train on: one tests, one validates", todo="Use --folds 3 or more")
    if not kept:
        raise DataRefused("every case was excluded", given=request.location, todo="See diascope check")
    groups = [group for problem in looked.problems for group in problem.groups]
    stratum = partial(_stratum, task=task, target=target)
    cases, dealt, given = _dealt(united(kept, groups), stratum, (task, target), request)
    return Dataset(
        name=dataset_name(request),
        source=looked.source,
        root=str(looked.survey.root.resolve()),
        task=task,
        target=target,
        cases=tuple(cases),
        folds=dealt,
        given_split=given,
        seed=request.seed,
        licence=looked.licence,
        exclusions=tuple(
            Exclusion(case=case, check=check, reason=reason) for case, (check, reason) in sorted(out.items())
        ),
        accepted=request.accept,
        notes=looked.notes,
    )


def _dealt(
    cases: list[Case], stratum: Callable[[Case], Stratum], learnt: tuple[str, Target], request: Request
) -> tuple[list[Case], tuple[tuple[str, ...], ...], bool]:
    """Cases with their final split, the folds where there are any, and whether the source gave a split.

    Args:
        cases: All of them.
        stratum: What a split is balanced by.
        learnt: Task and target.
        request: What the user said.
    """
    task, target = learnt
    # What was made is trained on, and so is what lies so near to it that both stay together.
    taught = {unit(case) for case in cases if case.synthetic}
    if taught:
        real = [case for case in cases if unit(case) not in taught]
        if not real:
            raise DataRefused("every case is synthetic: nothing real is left to test on", given=request.location)
        dealt, folded, given = _dealt(real, stratum, learnt, request)
        known = {case.id: case for case in dealt}
        return [known.get(case.id, case.model_copy(update={"split": "train"})) for case in cases], folded, given
    # A column that only ever says `train` leaves nothing to test on: it divides nothing.
    given = any(case.split in ("val", "test") for case in cases)
    if not given:
        cases = [case.model_copy(update={"split": None}) for case in cases]
    few = bool(request.adopted) or folds_by_rule(cases, stratum, {label.name for label in target.labels})
    everywhere = not given and few
    count = request.folds if request.folds is not None else _folds(cases, everywhere, task, bool(request.adopted))
    if everywhere and count > 1:
        cases = [case.model_copy(update={"split": "train"}) for case in cases]
        return cases, folds(cases, stratum, count, request.seed), given
    cases = split(cases, stratum, request.seed)
    if count < 2:
        return cases, (), given
    cases = [case.model_copy(update={"split": "train"}) if case.split == "val" else case for case in cases]
    return cases, folds([case for case in cases if case.split == "train"], stratum, count, request.seed), given


def _folds(cases: Sequence[Case], everywhere: bool, task: str, adopted: bool) -> int:
    """Folds by rule: where patients are few, for rows of tables, and for tasks that say so.

    Rows are read in no time: every training case can calibrate, and several networks answer. Of a model that is adopted
    every case that does not test recalibrates.
    """
    if everywhere:
        return folds_of_few(cases)
    if adopted:
        return FOLDS
    rows = all(isinstance(ref, TableRef) for case in cases for ref in case.inputs.values())
    several = rows or getattr(registry.get("tasks", task), "several", False)
    return FOLDS if several and not any(case.split == "val" for case in cases) else 0


def dataset_name(request: Request) -> str:
    """A short name from the location and, where chosen, the target."""
    path = Path(request.location)  # where there is none, an address: phantom:SEED:COUNT
    name = _plain(path.absolute().name if path.exists() else request.location.split(":")[0].split("/")[-1]) or "data"
    target = _plain(request.options.target or "")[:LONGEST].strip("-")
    return f"{name}-{target}" if target else name


def _plain(text: str) -> str:
    """What may stand in a folder's name on every system."""
    return "".join(c if c.isalnum() or c in "-_" else "-" for c in text).strip("-")


def _digested(case: Case, survey: Survey) -> Case:
    """The case with the SHA-256 of the bytes of each input and mask, and what was corrected on reading."""
    facts = survey.facts.get(case.id)
    if facts is None:
        return case
    inputs = dict(case.inputs)
    for name, seen in facts.inputs.items():
        ref = inputs[name]
        if isinstance(ref, FileRef):
            inputs[name] = ref.model_copy(
                update={"digest": getattr(seen, "file_digest", None) or None, "modality": ref.modality or seen.modality}
            )
    for name, look in facts.looks.items():
        ref = inputs[name]
        if isinstance(ref, FileRef):
            inputs[name] = ref.model_copy(update={"digest": look.file_digest})
    targets = {
        name: ref.model_copy(update={"digest": file_digest(survey.root / path for path in ref.paths)})
        if isinstance(ref, FileRef)
        else ref
        for name, ref in case.targets.items()
    }
    return case.model_copy(update={"inputs": inputs, "targets": targets})
