"""evaluate: metrics with intervals of a run's own test part, or of a release on other labelled data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from safetensors.numpy import save

from diascope.core import registry
from diascope.core.case import Case, Dataset
from diascope.core.evaluation import Evaluation, Gate
from diascope.core.figure import Figure
from diascope.core.plan import Fingerprint, Plan
from diascope.core.record import Record, write_durably
from diascope.core.run import Run
from diascope.engine.ablation import ablation
from diascope.engine.batch import Example, Output, Row
from diascope.engine.choosing import choose_backend
from diascope.engine.fit import load_weights
from diascope.engine.gate import FEWEST, described, features, fit_gate
from diascope.engine.given import UNKNOWN_TRAINING, given_figures, is_given
from diascope.engine.importance import Asked, importance
from diascope.engine.measuring import audited, measured
from diascope.engine.preparing import prepared
from diascope.engine.progress import Tell, silent
from diascope.engine.proving import reference
from diascope.engine.reading import Reader, buffer_bytes
from diascope.engine.scoring import Decision, Observed, cross_decided, fitted_on, is_fitted, observe
from diascope.planning.folding import unit
from diascope.reports.galleries import worst_and_best
from diascope.store.workspace import Workspace, free_name

GATE_CASES = 60
"""Training cases that the gate looks at where validation cases are few."""
REFERENCE = 4
"""Validation cases that a release keeps, so that another back end can prove itself."""


class Reading(Record):
    """How the numbers were made: what `predict` must do as well."""

    SCHEMA: ClassVar[int] = 1
    backend: str
    precision: str
    agreement: str
    """What the back end's self-test said."""


@dataclass(frozen=True)
class Evaluated:
    """An evaluation with what a release needs besides it."""

    evaluation: Evaluation
    gate: Gate
    reading: Reading
    folder: Path


def evaluate_run(workspace: Workspace, run_folder: Path, tell: Tell = silent) -> Evaluated:
    """Fit the decision on validation, then measure the test part (or every case out of fold).

    Args:
        workspace: Where the run's data set is, and `evaluations/`.
        run_folder: Of the run.
        tell: Told about progress.
    """
    run, plan = Run.read(run_folder / "run.json"), Plan.read(run_folder / "plan.json")
    dataset_folder = workspace.find("datasets", run.dataset)
    dataset = Dataset.read(dataset_folder / "dataset.json")
    facts = Fingerprint.read(dataset_folder / "fingerprint.json")
    networks = [load_weights(plan, run_folder / member.weights) for member in run.members]
    learnt = not is_given(plan)
    some = [prepared(case, Path(dataset.root), plan)[0] for case in _spread(_validation(dataset, 0), REFERENCE)]
    reading = Reading(**choose_backend(networks, plan, some))
    watch = Watch(plan, dataset, reading, tell)
    scored = _scored(watch, networks)
    test = dataset.part("test")
    previous = len(list(workspace.evaluations.glob(f"*/{run.dataset.split('@')[-1]}.test"))) if test else 0
    part = "test" if test else "cross-validated"
    scores = registry.get("tasks", plan.task).score(scored.rows, plan)
    evaluation = measured(plan, scored.rows, scored.cases, scored.decision, part, run.name, scores)
    evaluation = evaluation if scores.audit is None else _audited(watch, evaluation, scored, networks)
    pictures = worst_and_best(watch.reader(networks), evaluation, scored.cases, Path(dataset.root), scored.by_case)
    evaluation = evaluation.model_copy(
        update={
            "decisions_by_fold": scored.by_fold,
            "dataset": run.dataset,
            "figures": (
                *(() if learnt else given_figures(scored.rows, scored.cases, plan, scored.decision)),
                *evaluation.figures,
                *_importance(watch, scored, networks),
                *pictures,
            ),
            "accepted": dataset.accepted,
            "warnings": (*(() if learnt else (UNKNOWN_TRAINING,)), *_warnings(dataset, previous)),
            "backend": f"{reading.backend} {reading.precision}",
        }
    )
    gate, arrays = fit_gate(plan, facts, *_like_training(watch, scored.inside))
    folder = workspace.evaluations / free_name(workspace.evaluations, run.name)
    evaluated = Evaluated(evaluation, gate, reading, folder)
    _write(evaluated, {"gate": arrays, "reference": reference(networks, watch.reader(networks), scored.decision, some)})
    if test:
        write_durably(
            folder / f"{run.dataset.split('@')[-1]}.test", f"{evaluation.evaluated_by} {evaluation.created}\n".encode()
        )
    return evaluated


def _like_training(watch: Watch, inside: Sequence[Observed]) -> tuple[list[Any], list[str]]:
    """What the gate is fitted on: rows, and the patient of each.

    Learnt features only where one network stands for the release and has not seen the cases; folds do not share theirs.
    """
    learnt = len(inside) >= FEWEST and not watch.dataset.folds
    rows = [one.example.inputs["features" if learnt else "described"].astype(float) for one in inside]
    patients = [one.example.case.patient for one in inside]
    if len(rows) < FEWEST:
        known = {one.example.case.id for one in inside}
        more = _spread([case for case in watch.dataset.part("train") if case.id not in known], GATE_CASES)
        rows += [described(prepared(case, Path(watch.dataset.root), watch.plan)[0], watch.plan) for case in more]
        patients += [case.patient for case in more]
    return rows, patients


def _write(evaluated: Evaluated, arrays: Mapping[str, Mapping[str, Any]]) -> None:
    folder = evaluated.folder
    folder.mkdir(parents=True)
    evaluated.evaluation.write(folder / "evaluation.json")
    evaluated.gate.write(folder / "gate.json")
    evaluated.reading.write(folder / "reading.json")
    for name, members in arrays.items():
        content = save({key: np.ascontiguousarray(value) for key, value in members.items()})
        write_durably(folder / f"{name}.safetensors", content)


@dataclass(frozen=True)
class Watch:
    """What every reading of labelled cases needs."""

    plan: Plan
    dataset: Dataset
    reading: Reading
    tell: Tell
    readers: dict[tuple[Any, ...], Reader] = field(default_factory=dict)

    def reader(self, networks: Sequence[Any]) -> Reader:
        """A reader with the chosen back end; the same networks get the same one, for compiling takes seconds."""
        key = tuple(networks)
        if key not in self.readers:
            memory = buffer_bytes(self.plan["memory_gb"])
            self.readers[key] = Reader(networks, self.plan, self.reading.backend, self.reading.precision, memory)
        return self.readers[key]

    def read(self, networks: Sequence[Any], cases: Sequence[Case], name: str, gated: bool = True) -> list[Observed]:
        """Read cases; neither pixels nor answers are kept beyond the row and, where `gated`, what the gate needs."""

        def each(done: int, total: int) -> None:
            self.tell({"event": "progress", "what": f"reading {name}", "done": done, "total": total})

        found = []
        for one in observe(self.reader(networks), cases, Path(self.dataset.root), self.plan, each):
            kept = _described(one, self.plan) if gated else {}
            light = Example(one.example.case, kept, {}, one.example.geometry, one.example.original)
            found.append(Observed(light, Output(np.zeros(0)), one.row))
        return found


def _described(one: Observed, plan: Plan) -> Mapping[str, Any]:
    """Features in place of pixels: what the gate needs, a thousandth of the memory."""
    all_of_it = features(one.example, one.output, plan).astype(np.float32)
    return {"features": all_of_it, "described": all_of_it[: len(all_of_it) - len(one.output.features)]}


@dataclass(frozen=True)
class Scored:
    """Decided rows, and what decided them.

    Args:
        inside: What the decision was fitted on.
        decision: Of the release.
        cases: That are measured.
        rows: Of these cases.
        by_fold: Decision of each fold, where the cases are measured out of fold.
        by_case: Reader and decision of each case, where they are not those of the release.
    """

    inside: Sequence[Observed]
    decision: Decision
    cases: Sequence[Case]
    rows: Sequence[Row]
    by_fold: tuple[Decision, ...] = ()
    by_case: Mapping[str, tuple[Reader, Decision]] = field(default_factory=dict)


def _scored(watch: Watch, networks: Sequence[Any]) -> Scored:
    """Fit the decision on what the networks had not seen, then decide the test part, or every case out of fold."""
    plan, dataset = watch.plan, watch.dataset
    task, test = registry.get("tasks", plan.task), dataset.part("test")
    held = _held_out(watch, networks) if dataset.folds else [watch.read(networks, dataset.part("val"), "validation")]
    inside = [one for fold in held for one in fold]
    cases = [one.example.case for one in inside]
    words = fitted_on(cases, len(dataset.folds), bool(test), not is_given(plan))
    decision = task.fit_decision([one.row for one in inside], plan)
    decision |= {"fitted_on": words} if is_fitted(decision) else {}
    if test:
        seen = watch.read(networks, test, "test", gated=False)
        return Scored(inside, decision, test, [task.decide(one.row, decision, plan) for one in seen])
    rows, by_fold = cross_decided([[one.row for one in fold] for fold in held], plan)
    by_case: dict[str, tuple[Reader, Decision]] = {}
    for network, fold, said in zip(_of_folds(watch, networks), held, by_fold, strict=True):
        reader = watch.reader([network])
        by_case |= {one.example.case.id: (reader, said) for one in fold}
    shown = by_fold if is_fitted(decision) else ()
    return Scored(inside, decision, cases, [row for fold in rows for row in fold], shown, by_case)


def _audited(watch: Watch, evaluation: Evaluation, scored: Scored, networks: Sequence[Any]) -> Evaluation:
    """Laid beside the training cases: those of the first network, and cases that it has not seen."""
    plan, task = watch.plan, registry.get("tasks", watch.plan.task)
    first = watch.reader(networks[:1])
    seen = [n for n, case in enumerate(scored.cases) if scored.by_case.get(case.id, (first,))[0] == first]
    audit = task.score([scored.rows[n] for n in seen], plan).audit
    training = watch.read(networks[:1], _learnt(watch.dataset), "training", gated=False)
    rows = [task.decide(one.row, scored.decision, plan) for one in training]
    watch.tell({"event": "phase", "message": "laying answers beside the training cases"})
    return audited(evaluation, audit(rows), [scored.cases[n].patient for n in seen], plan.seed)


def _learnt(dataset: Dataset) -> tuple[Case, ...]:
    """What the first network was trained on: of folds, those that it neither tests nor watches."""
    held = {key for fold in dataset.folds[:2] for key in fold}
    return tuple(case for case in dataset.part("train") if unit(case) not in held)


def _importance(watch: Watch, scored: Scored, networks: Sequence[Any]) -> tuple[Figure, ...]:
    """Of inputs and columns: on the test part, or of each fold by the network that had not seen its cases."""
    root = Path(watch.dataset.root)
    if not scored.by_case:
        parts: tuple[Asked, ...] = (Asked(watch.reader(networks), scored.cases, scored.decision),)
        return (*ablation(parts[0], watch.plan, root), *importance(parts, watch.plan, root))
    by_reader: dict[int, Asked] = {}
    for case in scored.cases:
        reader, decision = scored.by_case[case.id]
        known = by_reader.get(id(reader), Asked(reader, (), decision))
        by_reader[id(reader)] = Asked(reader, (*known.cases, case), decision)
    parts = tuple(by_reader.values())
    return (*ablation(parts[0], watch.plan, root), *importance(parts, watch.plan, root))


def _held_out(watch: Watch, networks: Sequence[Any]) -> list[list[Observed]]:
    """The cases of each fold, read by the network that had not seen them."""
    found = []
    readers = _of_folds(watch, networks)
    for fold, network in enumerate(readers):
        members = set(watch.dataset.folds[fold])
        cases = [case for case in watch.dataset.part("train") if unit(case) in members]
        found.append(watch.read([network], cases, f"fold {fold + 1} of {len(readers)}, held out"))
    return found


def _of_folds(watch: Watch, networks: Sequence[Any]) -> list[Any]:
    """The network that has not seen the cases of each fold; one that learnt nothing has seen none."""
    return list(networks) * len(watch.dataset.folds) if len(networks) == 1 else list(networks)


def _validation(dataset: Dataset, fold: int) -> tuple[Case, ...]:
    if not dataset.folds:
        return dataset.part("val")
    members = set(dataset.folds[(fold + 1) % len(dataset.folds)])
    return tuple(case for case in dataset.part("train") if unit(case) in members)


def _spread(cases: Sequence[Case], count: int) -> list[Case]:
    return list(cases[:: max(1, len(cases) // count)][:count])


def _warnings(dataset: Dataset, previous: int) -> tuple[str, ...]:
    found: list[str] = []
    if previous:
        times = "once" if previous == 1 else f"{previous} times"
        found.append(f"this test part was evaluated {times} before: choices made since may be fitted to it")
    if not all(case.patient_known for case in dataset.cases):
        found.append("the source names no patients: several cases of one patient may lie on both sides of a split")
    return tuple(found)
