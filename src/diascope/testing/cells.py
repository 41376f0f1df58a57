"""Which inputs can be learnt which tasks from: asked of the plug-ins, so that a new model fills its cells by itself."""

from __future__ import annotations

from typing import Any

from diascope.core import registry
from diascope.core.case import Label, Target
from diascope.core.errors import DiascopeError

TARGETS = (
    "category",
    "labels",
    "number",
    "time_to_event",
    "time_to_first_event",
    "mask",
    "image",
    "boxes",
    "spans",
    "none",
)
"""Kinds of target that sources give, beside those that models name."""
IMAGE = "image"
NOTHING = "none"
"""What a generator reads: its cases are images all the same."""


def cells() -> dict[tuple[str, str], tuple[str, ...]]:
    """Kind of input and task to the models that read the one and give what the other needs, where there are any."""
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    tasks = dict(registry.each("tasks"))
    models = dict(registry.each("models"))
    for kind in (IMAGE, *registry.names("kinds")):
        for name, task in tasks.items():
            learns = _learns(task, models)
            suit = tuple(one for one, model in models.items() if _suits(model, kind, task, learns))
            if suit:
                found[kind, name] = suit
    return found


def _suits(model: Any, kind: str, task: Any, learns: frozenset[str]) -> bool:
    reads = kind in model.takes or (kind == IMAGE and NOTHING in model.takes and task.needs == "image")
    if kind != IMAGE and "encoder" in task.writes:
        return False  # it learns from images alone
    if model.gives == "answer":
        answers = learns & getattr(model, "target_kinds", frozenset())
        return reads and task.needs in ("vector", "answer") and bool(answers)
    return bool(reads and model.gives == task.needs)


def _learns(task: Any, models: dict[str, Any]) -> frozenset[str]:
    """Kinds of target that a task claims."""
    kinds = {*TARGETS, *(kind for model in models.values() for kind in getattr(model, "target_kinds", ()))}
    return frozenset(kind for kind in kinds if _claims(task, kind))


def _claims(task: Any, kind: str) -> bool:
    labels = tuple(Label(name=name, value=value) for value, name in enumerate(("a", "b", "c")))
    target = Target(name="x", kind=kind, columns=("x", "y"), labels=labels)
    try:
        return bool(task.claim([target]))
    except DiascopeError:
        return False
