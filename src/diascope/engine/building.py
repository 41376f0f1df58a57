"""From a plan to a network with fresh weights, and from a release's files to a trained one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from diascope.core import registry
from diascope.core.errors import BadUsage
from diascope.core.plan import Plan
from diascope.engine.network import AnswerNetwork
from diascope.models import InputSpec


def input_specs(plan: Plan) -> dict[str, InputSpec]:
    """What each encoder is built for: `image` for all stacked image inputs, and each table by its name."""
    specs = {}
    if plan["image_inputs"]:
        channels = sum(count * _views(plan["intensity"][name]) for name, count in plan["channels"].items())
        z, y, x = plan["patch"]
        steps = tuple(plan["spacing"])
        specs["image"] = InputSpec("image", channels, 2 if z == 1 else 3, (z, y, x), (steps[0], steps[1], steps[2]))
    for name in plan["table_inputs"]:
        specs[name] = InputSpec("table", len(plan["columns"][name]), 0, outputs=max(1, len(plan.target.labels)))
    return specs


def _views(intensity: Mapping[str, Any]) -> int:
    """How many channels the intensity rule makes of one."""
    return len(intensity["windows"]) if intensity["rule"] == "windows" else 1


def build_network(plan: Plan) -> nn.Module:
    """The task's network around the plan's encoders, with fresh weights from torch's global generator.

    Raises:
        BadUsage: When the model cannot read the plan's inputs, or does not suit the task.
    """
    model, task = registry.get("models", plan["model"]), registry.get("tasks", plan.task)
    _refuse_misfit(model, plan, task.needs)
    encoders = {}
    for name, spec in input_specs(plan).items():
        if spec.kind not in model.takes:
            raise BadUsage(
                f"the model {plan['model']!r} reads {', '.join(sorted(model.takes))}, not {spec.kind}",
                given=f"input {name!r}",
                todo="Choose another model: --set model=NAME (diascope list models)",
            )
        encoders[name] = model.build(spec, plan["model_options"])
    if model.gives == "answer":
        if len(encoders) != 1:
            raise BadUsage(f"the model {plan['model']!r} reads one input", given=", ".join(encoders) or "none")
        ((name, estimator),) = encoders.items()
        return AnswerNetwork(name, estimator)
    network: nn.Module = task.network(plan, encoders)
    return network


def _refuse_misfit(model: Any, plan: Plan, needs: str) -> None:
    """Raise where a model gives something else than the task needs, or answers another kind of target."""
    if model.gives == "answer" and model.fitted == "once":
        fits, wanted = plan.target.kind in model.target_kinds, f"answers for targets of kind {plan.target.kind!r}"
        given = f"answers for {', '.join(sorted(model.target_kinds))}"
    else:
        fits, wanted, given = model.gives == needs, f"a model that gives {needs!r}", f"it gives {model.gives!r}"
    if not fits:
        raise BadUsage(
            f"the model {plan['model']!r} does not suit this task, which needs {wanted}",
            given=given,
            todo="Choose another model: --set model=NAME (diascope list models)",
        )
