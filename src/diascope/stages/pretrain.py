"""pretrain: what is kept of a run that learnt without labels: the weights of its encoder, hashed and sealed."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from safetensors.torch import save

from diascope.core import registry
from diascope.core.case import Dataset
from diascope.core.errors import BadUsage
from diascope.core.plan import Plan
from diascope.core.record import canonical_json
from diascope.core.run import Encoder, Run
from diascope.engine.fit import load_weights
from diascope.engine.log import read_log
from diascope.engine.progress import Tell, silent
from diascope.engine.starting import encoders_of
from diascope.store.releases import write_release
from diascope.store.workspace import Workspace


def encoder(workspace: Workspace, run_folder: Path, tell: Tell = silent) -> tuple[Encoder, Path]:
    """Keep the encoder of a run; its head, which no other task needs, stays behind.

    Args:
        workspace: Where `encoders/` is.
        run_folder: Of the run.
        tell: Told about progress.

    Returns:
        The index and its folder.

    Raises:
        BadUsage: When the run is of a task that leaves no encoder, or of several networks.
    """
    run, plan = Run.read(run_folder / "run.json"), Plan.read(run_folder / "plan.json")
    if "encoder" not in registry.get("tasks", plan.task).writes or len(run.members) != 1:
        raise BadUsage(
            f"the run {run.name} leaves no encoder", given=f"task {plan.task}, {len(run.members)} network(s)",
            todo="Use diascope pretrain",
        )  # fmt: skip
    dataset = Dataset.read(workspace.find("datasets", run.dataset) / "dataset.json")
    member = run.members[0]
    network = load_weights(plan, run_folder / member.weights)
    weights = {
        f"{name}.{key}": value.contiguous()
        for name, module in encoders_of(network).items()
        for key, value in module.state_dict().items()
    }
    learnt = dataset.part("train")
    name = f"{dataset.name}-{plan.task}"
    made = Encoder(
        name=name,
        version=str(1 + max((_number(path.name) for path in workspace.encoders.glob(f"{name}@*")), default=0)),
        task=plan.task,
        model=plan["model"],
        dataset=run.dataset,
        cases=len(learnt),
        patients=len({case.patient for case in learnt}),
        run=run.name,
        plan_hash=plan.content_hash(),
        seen=_seen(run_folder),
        steps=member.steps,
        minutes=run.actual_minutes,
        hashes={},
        licence=dataset.licence,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        environment=run.environment,
    )
    folder = workspace.encoders / made.label
    plan_bytes = (canonical_json(plan.to_json(), indent=1) + "\n").encode()
    written = write_release(folder, made, {"plan.json": plan_bytes, made.weights: save(weights)})
    tell({"event": "phase", "message": f"pretrained encoder {written.label}"})
    return written, folder


def _seen(run_folder: Path) -> dict[str, float]:
    looks = [line for line in read_log(run_folder / "log.jsonl") if line["event"] == "validation"]
    last = looks[-1] if looks else {}
    return {name: float(value) for name, value in last.items() if isinstance(value, float)}


def _number(label: str) -> int:
    found = re.search(r"@(\d+)$", label)
    return int(found.group(1)) if found else 0
