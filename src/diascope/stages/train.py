"""train: from a plan to a run. Resumable at any moment."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from diascope.core import registry
from diascope.core.case import Case, Dataset, FileRef
from diascope.core.errors import Stopped
from diascope.core.plan import Plan
from diascope.core.run import Member, Run
from diascope.engine.devices import describe, peak_memory_gb, prepare_process
from diascope.engine.fit import Packed, Part, fit_network, make_fabric, pack_file
from diascope.engine.log import read_log
from diascope.engine.preparing import unchanged
from diascope.engine.progress import Tell, silent
from diascope.models import learns
from diascope.planning.folding import unit
from diascope.store.files import file_sha256
from diascope.store.workspace import Workspace, free_name

REALISED = {
    "schedule": "as it went: [step, total] from when on the schedule ended where",
    "compiled": "as it went: whether torch.compile was faster",
}
"""What a finished run adds to its plan, so that training it again gives the same bytes without a clock."""


def train(
    workspace: Workspace, plan_path: Path, resume: bool = False, devices: int = 1, tell: Tell = silent
) -> tuple[Run, Path]:
    """Train what a plan says.

    Args:
        workspace: Where `runs/` and `datasets/` are.
        plan_path: The plan's file.
        resume: Go on with the newest run of this plan; where there is none yet, start one.
        devices: How many processes or GPUs share each batch.
        tell: Told about progress.

    Returns:
        The run and its folder.

    Raises:
        Stopped: On Ctrl-C; says how to resume.
        DataRefused: When a file changed since curation.
    """
    plan = Plan.read(plan_path)
    dataset_folder = workspace.find("datasets", plan.dataset)
    dataset = Dataset.read(dataset_folder / "dataset.json")
    check_sources(dataset)
    # Several processes are one job: the first one chooses the folder and writes, the others follow it.
    fabric = make_fabric(plan, devices)
    first = fabric.global_rank == 0
    folder = fabric.broadcast(_folder(workspace, plan, plan_path, resume) if first else Path())
    if resume and (folder / "run.json").exists():
        tell({"event": "phase", "message": f"the run {folder.name} is finished"})
        return Run.read(folder / "run.json"), folder
    if first and not (folder / "plan.json").exists():
        if resume:
            tell({"event": "phase", "message": "there is no run of this plan to resume yet: it starts now"})
        plan.write(folder / "plan.json")
    process = prepare_process(plan["threads"] if "threads" in plan.choices else None)
    began = time.monotonic()
    try:
        packed = Packed(dataset.part("train"), Path(dataset.root), plan, pack_file(folder, fabric.global_rank))
        members = _members(plan, dataset, (folder, packed), {"resume": resume, "devices": devices}, tell)
    except (Stopped, KeyboardInterrupt) as error:
        again = ["diascope", "train", str(folder / "plan.json"), "--resume", "--workspace", str(workspace.root)]
        wrong = error.wrong if isinstance(error, Stopped) else "training was stopped"
        raise Stopped(wrong, given=folder, todo=f"Resume with: {shlex.join(again)}") from error
    plan = _realised(plan, members)
    run = _record((folder.name, dataset_folder.name), plan, members, process, (time.monotonic() - began) / 60)
    if first:
        plan.write(folder / "plan.json")
        run.write(folder / "run.json")
    return run, folder


def _record(names: tuple[str, str], plan: Plan, members: list[Member], process: dict[str, str], minutes: float) -> Run:
    """What was trained, on what, at what cost; `names` are those of the run and of its dataset."""
    return Run(
        name=names[0],
        plan_hash=plan.content_hash(),
        dataset=names[1],
        members=tuple(members),
        environment=describe(),
        process=process,
        predicted_minutes=round((plan["train_seconds"] or 0.0) / 60, 2) if "train_seconds" in plan.choices else 0.0,
        actual_minutes=round(minutes, 2),
        predicted_gb=plan["predicted_gb"],
        actual_gb=peak_memory_gb(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _members(
    plan: Plan, dataset: Dataset, place: tuple[Path, Packed], options: dict[str, Any], tell: Tell
) -> list[Member]:
    found = []
    # What learns nothing is the same for every fold.
    several = bool(dataset.folds) and learns(registry.get("models", plan["model"]))
    for number, fold in enumerate(range(len(dataset.folds)) if several else [None]):
        given = {**options, "schedule": _schedule(plan, number), "compiled": _compiled(plan, number)}
        found.append(_member(plan, dataset, place, fold, given, tell))
    return found


def _compiled(plan: Plan, number: int) -> bool | None:
    value = plan["compiled"] if "compiled" in plan.choices else None
    return value[number] if isinstance(value, list) else value


def _schedule(plan: Plan, number: int) -> Any:
    """The plan's `schedule`: [step, total] pairs for all networks, or a list of them for each; None without one."""
    value = plan["schedule"] if "schedule" in plan.choices else None
    nested = isinstance(value, list) and all(pair and isinstance(pair[0], list) for pair in value)
    return value[number] if value and nested else value


def _realised(plan: Plan, members: Sequence[Member]) -> Plan:
    """The plan with the schedule, and the verdict on compilation, as they went."""
    if "compiled" not in plan.choices and any(member.compiled is not None for member in members):
        plan = _added(plan, "compiled", [member.compiled for member in members])
    if "schedule" not in plan.choices and "train_seconds" in plan.choices and plan["train_seconds"]:
        plan = _added(plan, "schedule", [[list(pair) for pair in member.changes] for member in members])
    return plan


def _added(plan: Plan, field: str, went: list[Any]) -> Plan:
    return plan.with_choice(field, went[0] if len(went) == 1 else went, "measured", REALISED[field])


def parts(dataset: Dataset, fold: int | None) -> tuple[tuple[Case, ...], tuple[Case, ...], tuple[Case, ...]]:
    """Training, validation and test cases of the whole set, or of one fold (the next fold validates)."""
    if fold is None:
        return dataset.part("train"), dataset.part("val"), dataset.part("test")
    count = len(dataset.folds)
    testing, watching = set(dataset.folds[fold]), set(dataset.folds[(fold + 1) % count])
    inside = dataset.part("train")
    test = tuple(case for case in inside if unit(case) in testing)
    val = tuple(case for case in inside if unit(case) in watching)
    rest = tuple(case for case in inside if unit(case) not in testing | watching)
    return rest, val, test


def _member(
    plan: Plan,
    dataset: Dataset,
    kept: tuple[Path, Packed],
    fold: int | None,
    options: dict[str, Any],
    tell: Tell,
) -> Member:
    folder, packed = kept
    place = folder if fold is None else folder / f"fold-{fold}"
    training, validation, _ = parts(dataset, fold)

    def show(facts: dict[str, Any]) -> None:
        tell({"event": "train", "fold": fold, "folds": len(dataset.folds), **facts})

    part = Part(training, validation, Path(dataset.root), packed, spare=fold is not None)
    weights = fit_network(plan, part, place, show, options)
    log = read_log(place / "log.jsonl")
    planned = options["schedule"][0][1] if options["schedule"] else plan["steps"]
    changes = [(0, planned)] + [(line["step"], line["to"]) for line in log if line["event"] == "schedule"]
    return Member(
        fold=fold,
        weights=str(weights.relative_to(folder)),
        sha256=file_sha256(weights),
        steps=max((line["step"] for line in log), default=0),
        changes=tuple(changes),
        skipped=sum(line["event"] == "skipped" for line in log),
        compiled=next((line["faster"] for line in log if line["event"] == "compile"), None),
    )


def _folder(workspace: Workspace, plan: Plan, plan_path: Path, resume: bool) -> Path:
    own = plan_path.resolve()
    inside = own.name == "plan.json" and own.parent.parent == workspace.runs
    if resume:
        if inside:
            return own.parent
        wanted = _as_planned(plan).content_hash()
        matching = [
            path.parent
            for path in workspace.runs.glob("*/plan.json")
            if _as_planned(Plan.read(path)).content_hash() == wanted
        ]
        # A process that was killed before it wrote anything is resumed by starting.
        if matching:
            return max(matching, key=lambda path: (path / "plan.json").stat().st_mtime)
    return workspace.runs / free_name(workspace.runs, own.parent.name if inside else own.stem)


def _as_planned(plan: Plan) -> Plan:
    """Without what a finished run added to its copy."""
    kept = {name: one for name, one in plan.choices.items() if one.reason != REALISED.get(name)}
    return plan.model_copy(update={"choices": kept})


def check_sources(dataset: Dataset) -> None:
    """Refuse to go on when a source file is gone or has another content than at curation.

    Raises:
        DataRefused: Names the file.
    """
    for case in dataset.cases:
        for ref in (*case.inputs.values(), *case.targets.values()):
            if isinstance(ref, FileRef):
                unchanged(case, ref, Path(dataset.root))
