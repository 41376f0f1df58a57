"""From a plan to a network with fresh weights, and from a release's files to a trained one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import nn

from diascope.core import registry
from diascope.core.errors import BadUsage
from diascope.core.plan import Plan
from diascope.engine.network import AnswerNetwork, SliceBySlice
from diascope.kinds import kind_of
from diascope.models import InputSpec


def input_specs(plan: Plan) -> dict[str, InputSpec]:
    """What each encoder is built for: `image` for all stacked image inputs, and each other input by its name."""
    specs = {}
    if plan["image_inputs"]:
        channels = channels_of(plan)
        z, y, x = plan["patch"]
        steps, slices = tuple(plan["spacing"]), slices_of(plan)
        flat = z == 1 or slices > 0
        one = InputSpec("image", channels, 2 if flat else 3, (z, y, x), (steps[0], steps[1], steps[2]))
        stacked = channels * max(1, slices)
        specs["image"] = replace(encoded(one), channels=stacked, outputs=len(plan.target.labels))
    for name, settings in plan["readings"].items():
        spec = kind_of(settings).spec(settings)
        outputs = plan["outputs"] if "outputs" in plan.choices else max(1, len(plan.target.labels))
        specs[name] = replace(spec, outputs=outputs, names=tuple(label.name for label in plan.target.labels))
    return specs


def channels_of(plan: Plan) -> int:
    """Channels of all image inputs of a case, stacked."""
    return sum(count * _views(plan["intensity"][name]) for name, count in plan["channels"].items())


def slices_of(plan: Plan) -> int:
    """How many neighbouring slices of a volume a network of two dimensions sees at once; 0: it reads volumes."""
    return int(plan["slices"]) if "slices" in plan.choices else 0


def encoded(spec: InputSpec) -> InputSpec:
    """What an encoder sees of an example: a slice where a volume is read by a network of two dimensions."""
    return replace(spec, shape=(1, *spec.shape[1:])) if spec.dimensions == 2 else spec


def encoder_of(name: str, plan: Plan) -> tuple[str, dict[str, Any]]:
    """Model and options that encode an input."""
    own = plan["encoders"].get(name) if "encoders" in plan.choices else None
    return (own["model"], own["options"]) if own else (plan["model"], plan["model_options"])


def _views(intensity: Mapping[str, Any]) -> int:
    """How many channels the intensity rule makes of one."""
    return len(intensity["windows"]) if intensity["rule"] == "windows" else 1


def build_network(plan: Plan) -> nn.Module:
    """The task's network around the plan's encoders, with fresh weights from torch's global generator.

    Raises:
        BadUsage: When the model does not suit the task or the inputs.
    """
    refuse_misfit(plan)
    encoders = {}
    for name, spec in input_specs(plan).items():
        model, options = encoder_of(name, plan)
        encoders[name] = registry.get("models", model).build(spec, options)
    if slices_of(plan) and plan["patch"][0] > 1:
        encoders["image"] = SliceBySlice(encoders["image"])
    if registry.get("models", plan["model"]).gives == "answer":
        ((name, estimator),) = encoders.items()
        return AnswerNetwork(name, estimator)
    network: nn.Module = registry.get("tasks", plan.task).network(plan, encoders)
    return network


def refuse_misfit(plan: Plan) -> None:
    """Refuse a model that does not read the plan's inputs, or does not give what its task needs.

    Raises:
        BadUsage: Says which, and what the model does.
    """
    kinds = {"image": "image"} if plan["image_inputs"] else {}
    kinds |= {name: settings["kind"] for name, settings in plan["readings"].items()}
    for name, kind in kinds.items():
        own = plan["encoders"].get(name) if "encoders" in plan.choices else None
        _refuse_model(own["model"] if own else plan["model"], kind, len(kinds), plan)
    if not kinds:
        _refuse_model(plan["model"], "", 0, plan)


def _refuse_model(name: str, kind: str, inputs: int, plan: Plan) -> None:
    model, needs = registry.get("models", name), registry.get("tasks", plan.task).needs
    wrong = given = ""
    if kind and kind not in model.takes:
        wrong, given = f"does not read inputs of kind {kind!r}", f"it reads {', '.join(sorted(model.takes))}"
    elif model.gives == "answer" and inputs != 1:
        wrong, given = "answers from one input alone", f"{inputs} inputs"
    elif model.gives == "answer" and model.fitted == "once" and needs in ("vector", "answer"):
        if plan.target.kind not in model.target_kinds:
            wrong = f"does not answer for a target of kind {plan.target.kind!r}"
            given = f"it answers for {', '.join(sorted(model.target_kinds))}"
    elif model.gives != needs:
        wrong, given = f"gives {model.gives!r}, and the task {plan.task!r} needs {needs!r}", f"model {name!r}"
    if wrong:
        raise BadUsage(
            f"the model {name!r} {wrong}",
            given=given,
            todo="Choose another model: --set model=NAME (diascope list models)",
        )
