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
        specs["image"] = InputSpec(
            *("image", channels, 2 if z == 1 else 3, (z, y, x), (steps[0], steps[1], steps[2])),
            outputs=len(plan.target.labels),
        )
    for name in plan["table_inputs"]:
        specs[name] = table_spec(name, plan)
    return specs


def table_spec(name: str, plan: Plan) -> InputSpec:
    """What an encoder of a table input is built for."""
    columns = plan["columns"][name]
    known = "categories" in plan.choices
    words, scales = (plan["categories"][name], plan["scales"][name]) if known else ({}, {})
    return InputSpec(
        "table",
        len(columns),
        0,
        outputs=plan["outputs"] if "outputs" in plan.choices else max(1, len(plan.target.labels)),
        categories=tuple(len(words.get(column, ())) for column in columns) if words else (),
        scales=tuple((scales[column][0], scales[column][1]) for column in columns) if scales else (),
    )


def _views(intensity: Mapping[str, Any]) -> int:
    """How many channels the intensity rule makes of one."""
    return len(intensity["windows"]) if intensity["rule"] == "windows" else 1


def build_network(plan: Plan) -> nn.Module:
    """The task's network around the plan's encoders, with fresh weights from torch's global generator.

    Raises:
        BadUsage: When the model does not suit the task or the inputs.
    """
    refuse_misfit(plan)
    model = registry.get("models", plan["model"])
    encoders = {name: model.build(spec, plan["model_options"]) for name, spec in input_specs(plan).items()}
    if model.gives == "answer":
        ((name, estimator),) = encoders.items()
        return AnswerNetwork(name, estimator)
    network: nn.Module = registry.get("tasks", plan.task).network(plan, encoders)
    return network


def refuse_misfit(plan: Plan) -> None:
    """Refuse a model that does not read the plan's inputs, or does not give what its task needs.

    Raises:
        BadUsage: Says which, and what the model does.
    """
    model, needs = registry.get("models", plan["model"]), registry.get("tasks", plan.task).needs
    kinds = ["image"] * bool(plan["image_inputs"]) + ["table"] * len(plan["table_inputs"])
    strange = [kind for kind in kinds if kind not in model.takes]
    wrong = given = ""
    if strange:
        wrong, given = f"does not read inputs of kind {strange[0]!r}", f"it reads {', '.join(sorted(model.takes))}"
    elif model.gives == "answer" and len(kinds) != 1:
        wrong, given = "answers from one input alone", f"inputs: {', '.join(kinds) or 'none'}"
    elif model.gives == "answer" and model.fitted == "once":
        if plan.target.kind not in model.target_kinds:
            wrong = f"does not answer for a target of kind {plan.target.kind!r}"
            given = f"it answers for {', '.join(sorted(model.target_kinds))}"
    elif model.gives != needs:
        wrong, given = f"gives {model.gives!r}, and the task {plan.task!r} needs {needs!r}", f"model {plan['model']!r}"
    if wrong:
        raise BadUsage(
            f"the model {plan['model']!r} {wrong}",
            given=given,
            todo="Choose another model: --set model=NAME (diascope list models)",
        )
