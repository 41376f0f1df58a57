"""Small releases with networks that nobody trained: what a stage does with a release is tested without training one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save
from safetensors.torch import save as save_tensors
from torch import nn

from diascope.core import registry
from diascope.core.case import Label, Target
from diascope.core.evaluation import Evaluation, Gate, GateRule, Release
from diascope.core.plan import Choice, Plan
from diascope.core.record import canonical_json
from diascope.engine.batch import Example
from diascope.engine.building import build_network, input_specs
from diascope.engine.proving import reference
from diascope.engine.reading import Reader
from diascope.models.blocks.topology import narrowed
from diascope.store.releases import write_release
from diascope.testing.factories import CLASSES, a_case

ORGANS = Target(
    name="mask", kind="mask", columns=("mask",), labels=(Label(name="organ", value=1), Label(name="lesion", value=2))
)

SMALL = {"depth": [1] * 4, "width": 8, "stem": [1, 3, 3], "strides": [[1, 1, 1]] * 4 + [[1, 2, 2]] * 2}
"""Options of a residual network for pictures."""


def a_plan(target: Target = CLASSES, patch: tuple[int, int, int] = (1, 16, 16), **changes: Any) -> Plan:
    """A plan of one image input.

    Args:
        target: A category for a vector, a mask for a label a voxel.
        patch: (Z, Y, X); Z is 1 for pictures.
        **changes: Choices to set otherwise.
    """
    dense = target.kind == "mask"
    plain: dict[str, Any] = {
        "image_inputs": ["image"],
        "readings": {},
        "columns": {},
        "channels": {"image": 1},
        "intensity": {"image": {"rule": "z-score"}},
        "prepare": [] if dense else [["resample", {"shape": list(patch)}]],
        "patch": list(patch),
        "spacing": [1.0, 1.0, 1.0],
        "whole": not dense,
        "overlap": 0.5,
        "mirror_axes": [2],
        "mirror_reading": False,
        "read_batch": 2,
        "skip_empty": False,
        "memory_gb": 4.0,
        "dropout": 0.0,
        "model": "unet" if dense else "resnet",
    }
    choices = {name: Choice(value=value, kind="fixed", reason="") for name, value in {**plain, **changes}.items()}
    task = next(name for name, plugin in registry.each("tasks") if target in plugin.claim([target]))
    plan = Plan(dataset="films@1", task=task, target=target, seed=0, choices=choices)
    if "model_options" in plan.choices:
        return plan
    (spec,) = input_specs(plan).values()
    model = registry.get("models", plan["model"])
    options = narrowed(model.options(spec), 4, spec.dimensions) if dense else SMALL
    return plan.with_choice("model_options", options, "fixed", "")


def a_release(
    folder: Path,
    plan: Plan | None = None,
    seeds: Sequence[int] = (0,),
    blocks: Sequence[str] = (),
    teach: Callable[[nn.Module], object] = lambda network: None,
    **changes: Any,
) -> Path:
    """A release on disk.

    Args:
        folder: Of the release; must not exist.
        plan: Of `a_plan`.
        seeds: Of each member's weights.
        blocks: What its evaluation says against it.
        teach: Trains a member, where it must have learnt something.
        **changes: Fields of `Release` to set otherwise.
    """
    plan = plan or a_plan()
    networks = []
    for seed in seeds:
        torch.manual_seed(seed)
        networks.append(build_network(plan))
        teach(networks[-1])
        networks[-1].eval()
    binary = {"temperature": 1.0, "point": {"threshold": 0.5}, "rule": {"en": "probability >= 0.5"}}
    plain: dict[str, Any] = {
        "name": "films",
        "version": "1",
        "task": plan.task,
        "target": plan.target,
        "dataset": plan.dataset,
        "plan_hash": plan.content_hash(),
        "backend": "torch",
        "precision": "fp32",
        "decision": {"rule": "the largest"} if plan.target.kind == "mask" else binary,
        "gate": Gate(rules=(_rule(plan),) if plan["image_inputs"] else ()),
        "members": tuple(f"weights-{number}.safetensors" for number in range(len(networks))),
        "hashes": {},
    }
    release = Release.model_validate({**plain, **changes})
    evaluation = Evaluation(
        dataset=plan.dataset, part="test", task=plan.task, release=release.label, cases=1, patients=1, metrics={},
        headline=(), decision=release.decision, blocks=tuple(blocks),
    )  # fmt: skip
    reader = Reader(networks, plan, release.backend, release.precision)
    examples = _examples(plan) if plan["image_inputs"] else []
    files: dict[str, bytes | Path] = {
        "plan.json": canonical_json(plan.to_json()).encode(),
        "evaluation.json": canonical_json(evaluation.to_json()).encode(),
        "gate.safetensors": save({}),
        "model-card.md": f"# films\n\n- Made: \n- Licence of the weights: {release.licence}\n".encode(),
        "reference.safetensors": save(reference(networks, reader, release.decision, examples)),
    }
    for name, network in zip(release.members, networks, strict=True):
        files[name] = save_tensors(network.state_dict())
    write_release(folder, release, files)
    return folder


def _rule(plan: Plan) -> GateRule:
    return GateRule(
        input="image",
        modality="unknown",
        dimensions=2 if plan["patch"][0] == 1 else 3,
        channels=plan["channels"]["image"],
    )


def _examples(plan: Plan) -> list[Example]:
    shape = (plan["channels"]["image"], *plan["patch"])
    noise = np.random.default_rng(0)
    return [Example(a_case(n), {"image": noise.normal(size=shape).astype(np.float32)}, {}) for n in range(2)]
