"""evaluate: metrics with intervals of a run's own test part, or of a release on other labelled data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from safetensors.numpy import save

from diascope.core import registry
from diascope.core.case import Case, Dataset
from diascope.core.evaluation import Evaluation, Gate
from diascope.core.plan import Fingerprint, Plan
from diascope.core.record import Record, write_durably
from diascope.core.run import Run
from diascope.engine.batch import Example, Row
from diascope.engine.choosing import choose_backend
from diascope.engine.fit import load_weights
from diascope.engine.gate import FEWEST, described, features, fit_gate
from diascope.engine.measuring import measured
from diascope.engine.preparing import prepared
from diascope.engine.progress import Tell, silent
from diascope.engine.proving import reference
from diascope.engine.reading import Reader, buffer_bytes
from diascope.engine.scoring import Observed, observe
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
    some = [prepared(case, Path(dataset.root), plan)[0] for case in _spread(_validation(dataset, 0), REFERENCE)]
    reading = Reading(**choose_backend(networks, plan, some))
    watch = Watch(plan, dataset, reading, tell)
    if dataset.folds:
        inside, rows = _out_of_fold(watch, networks)
    else:
        inside = watch.read(networks, dataset.part("val"), "validation")
        rows = []
    task = registry.get("tasks", plan.task)
    decision = task.fit_decision([one.row for one in inside], plan)
    test = dataset.part("test")
    part = "test" if test else "cross-validated"
    if test:
        previous = sum(1 for _ in workspace.evaluations.glob(f"*/{run.dataset.split('@')[-1]}.test"))
        seen = watch.read(networks, test, "test")
        rows = [task.decide(one.row, decision, plan) for one in seen]
        cases: Sequence[Case] = test
    else:
        previous, cases = 0, [one.example.case for one in inside]
    warnings = _warnings(dataset, previous)
    evaluation = measured(plan, rows, cases, decision, part, run.name)
    pictures = worst_and_best(watch.reader(networks), evaluation, cases, Path(dataset.root))
    evaluation = evaluation.model_copy(
        update={
            "dataset": run.dataset,
            "figures": (*evaluation.figures, *pictures),
            "accepted": dataset.accepted,
            "warnings": warnings,
            "backend": f"{reading.backend} {reading.precision}",
        }
    )
    gate, arrays = fit_gate(plan, facts, *_like_training(watch, inside))
    folder = workspace.evaluations / free_name(workspace.evaluations, run.name)
    evaluated = Evaluated(evaluation, gate, reading, folder)
    _write(evaluated, {"gate": arrays, "reference": reference(networks, watch.reader(networks), decision, some)})
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
        more = _spread(watch.dataset.part("train"), GATE_CASES)
        rows += [described(prepared(case, Path(watch.dataset.root), watch.plan)[0]) for case in more]
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

    def reader(self, networks: Sequence[Any]) -> Reader:
        """A reader with the chosen back end."""
        memory = buffer_bytes(self.plan["memory_gb"])
        return Reader(networks, self.plan, self.reading.backend, self.reading.precision, memory)

    def read(self, networks: Sequence[Any], cases: Sequence[Case], name: str) -> list[Observed]:
        """Read cases; prepared pixels are not kept beyond the features."""

        def each(done: int, total: int) -> None:
            self.tell({"event": "progress", "what": f"reading {name}", "done": done, "total": total})

        found = []
        for one in observe(self.reader(networks), cases, Path(self.dataset.root), self.plan, each):
            light = Example(one.example.case, _described(one), {}, one.example.geometry, one.example.original)
            found.append(Observed(light, one.output, one.row))
        return found


def _described(one: Observed) -> Mapping[str, Any]:
    """Features in place of pixels: what the gate needs, a thousandth of the memory."""
    return {
        "features": features(one.example, one.output).astype(np.float32),
        "described": described(one.example).astype(np.float32),
    }


def _out_of_fold(watch: Watch, networks: Sequence[Any]) -> tuple[list[Observed], list[Row]]:
    """Each fold's test cases by its own network, decided by what was fitted on its own validation fold."""
    task = registry.get("tasks", watch.plan.task)
    seen: list[Observed] = []
    rows: list[Row] = []
    for fold, network in enumerate(networks):
        name = f"fold {fold + 1} of {len(networks)}"
        validation = watch.read([network], _validation(watch.dataset, fold), f"{name}, validation")
        decision = task.fit_decision([one.row for one in validation], watch.plan)
        members = set(watch.dataset.folds[fold])
        test = [case for case in watch.dataset.part("train") if unit(case) in members]
        found = watch.read([network], test, f"{name}, held out")
        seen += found
        rows += [task.decide(one.row, decision, watch.plan) for one in found]
    return seen, rows


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
        found.append("the source names no patients: several images of one patient may lie on both sides of a split")
    return tuple(found)
