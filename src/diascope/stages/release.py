"""release: what may be used. `candidate` packs a run with its evaluation; `sign` puts a person's name under it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from diascope.core.case import Case, Dataset
from diascope.core.errors import BadUsage
from diascope.core.evaluation import Evaluation, Gate, Release
from diascope.core.plan import Plan
from diascope.core.record import canonical_json
from diascope.core.run import Run
from diascope.engine.progress import Tell, silent
from diascope.planning.seen import SEEN, to_json
from diascope.reports.card import licence_text, model_card, origin_of, signed_card
from diascope.store.releases import open_usable, replace_release, write_release
from diascope.store.workspace import Workspace

CARD, LICENCE = "model-card.md", "LICENCE"


def candidate(
    workspace: Workspace, run_folder: Path, evaluation_folder: Path, tell: Tell = silent
) -> tuple[Release, Path]:
    """Pack a run and its evaluation into a candidate release.

    Args:
        workspace: Where `releases/` is.
        run_folder: Of the run.
        evaluation_folder: From `evaluate`.
        tell: Told about progress.
    """
    run, plan = Run.read(run_folder / "run.json"), Plan.read(run_folder / "plan.json")
    dataset = Dataset.read(workspace.find("datasets", run.dataset) / "dataset.json")
    evaluation = Evaluation.read(evaluation_folder / "evaluation.json")
    gate = Gate.read(evaluation_folder / "gate.json")
    reading = _reading(evaluation_folder)
    name = f"{dataset.name}-{plan.task}"
    version = str(1 + max((_number(path.name) for path in workspace.releases.glob(f"{name}@*")), default=0))
    members = tuple(f"weights-{number}.safetensors" for number in range(len(run.members)))
    evaluation = evaluation.model_copy(update={"release": f"{name}@{version}"})
    release = Release(
        name=name,
        version=version,
        task=plan.task,
        target=plan.target,
        dataset=run.dataset,
        source=dataset.source,
        plan_hash=plan.content_hash(),
        backend=reading["backend"],
        precision=reading["precision"],
        decision=evaluation.decision,
        gate=gate,
        members=members,
        hashes={},
        licence=origin["licence"] if (origin := origin_of(plan)) else dataset.licence,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        environment=run.environment,
    )
    files = _papers(release, evaluation, plan, dataset)
    files |= {name: evaluation_folder / name for name in ("gate.safetensors", "reference.safetensors")}
    files[SEEN] = to_json(_learnt(dataset), Path(dataset.root), plan)
    files |= {member: run_folder / one.weights for member, one in zip(members, run.members, strict=True)}
    folder = workspace.releases / release.label
    written = write_release(folder, release, files)
    tell({"event": "phase", "message": f"candidate release {written.label}"})
    return written, folder


def _learnt(dataset: Dataset) -> list[Case]:
    """The cases that networks, calibration or the choice of a model saw: all but those of a test part."""
    tested = {case.id for case in dataset.part("test")}
    return [case for case in dataset.cases if case.id not in tested]


def _papers(release: Release, evaluation: Evaluation, plan: Plan, dataset: Dataset) -> dict[str, bytes | Path]:
    """What a person reads of a release, and the records beside it."""
    return {
        "plan.json": (canonical_json(plan.to_json(), indent=1) + "\n").encode(),
        "evaluation.json": (canonical_json(evaluation.to_json(), indent=1) + "\n").encode(),
        CARD: model_card(release, evaluation, plan, dataset).encode(),
        LICENCE: licence_text(release, dataset.licence, bool(origin_of(plan))).encode(),
    }


def sign(workspace: Workspace, name: str, by: str, licence: str | None = None) -> Release:
    """Sign a candidate with a person's name.

    Args:
        workspace: Where `releases/` is.
        name: Of the candidate, or its folder.
        by: Who signs.
        licence: Under which the weights are given on; None is what the source of the data states.

    Raises:
        BadUsage: When it is signed already, or the name is empty.
        Blocked: When its evaluation speaks against it.
        Tampered: When its bytes were changed.
    """
    if not by.strip():
        raise BadUsage(
            "a release is signed by a named person", given=repr(by), todo="Use --by 'Family name, given name'"
        )
    opened = open_usable(workspace.find("releases", name))
    if opened.release.signed_by:
        raise BadUsage(f"{opened.release.label} is already signed by {opened.release.signed_by}")
    signed = opened.release.model_copy(
        update={
            "signed_by": by.strip(),
            "signed_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "licence": opened.release.licence if licence is None else licence.strip(),
        }
    )
    card = (opened.folder / CARD).read_text(encoding="utf-8")
    files = {
        CARD: signed_card(card, signed).encode(),
        LICENCE: licence_text(signed, opened.release.licence, bool(origin_of(opened.plan))).encode(),
    }
    return replace_release(opened, signed, files)


def _reading(folder: Path) -> dict[str, str]:
    import json

    content: dict[str, str] = json.loads((folder / "reading.json").read_text(encoding="utf-8"))
    return content


def _number(label: str) -> int:
    found = re.search(r"@(\d+)$", label)
    return int(found.group(1)) if found else 0
