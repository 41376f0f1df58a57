"""A plan while it is being made, and what all plans of a data set share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from diascope.core.case import Dataset
from diascope.core.plan import Choice, Fingerprint, Plan
from diascope.engine.devices import Capabilities
from diascope.planning.budget import Budget
from diascope.planning.settings import checked

Kind = Literal["fixed", "rule", "measured", "by hand"]


@dataclass
class Draft:
    """A plan while it is being made.

    Args:
        choices: So far.
        by_hand: Plan fields set by the user.
        of_task: Fields that the task chooses; no rule for all tasks replaces them.
    """

    choices: dict[str, Choice]
    by_hand: Mapping[str, Any]
    of_task: frozenset[str] = frozenset()

    def copy(self) -> Draft:
        """Another draft that starts from the same choices."""
        return Draft(dict(self.choices), self.by_hand, self.of_task)

    def put(self, field: str, value: Any, kind: Kind, reason: str) -> Any:
        """Set a choice unless the user set it by hand or the task has; returns what holds."""
        if field in self.of_task:
            return self.choices[field].value
        if field in self.by_hand:
            given = checked(field, self.by_hand[field], value)
            rule = "other settings" if isinstance(value, Mapping) else repr(value)
            self.choices[field] = Choice(value=given, kind="by hand", reason=f"given; the rule says {rule}: {reason}")
        else:
            self.choices[field] = Choice(value=value, kind=kind, reason=reason)
        return self.choices[field].value


def plan_of(draft: Draft, dataset: Dataset, seed: int) -> Plan:
    """The plan, as far as it is made."""
    return Plan(
        dataset=f"{dataset.name}@{dataset.content_hash()[:12]}",
        task=dataset.task,
        target=dataset.target,
        seed=seed,
        choices=dict(draft.choices),
    )


@dataclass(frozen=True)
class Setting:
    """What all plans of a data set share.

    Args:
        dataset: After curation.
        facts: Its fingerprint.
        budget: Time and memory.
        machine: What there is to compute on.
        seed: Of all randomness.
        say: Told what is being measured.
    """

    dataset: Dataset
    facts: Fingerprint
    budget: Budget
    machine: Capabilities
    seed: int
    say: Callable[[str], None]

    def later(self, seconds: float) -> Setting:
        """The same when more time was spent."""
        spent = self.budget.spent_seconds + seconds
        return replace(self, budget=self.budget.model_copy(update={"spent_seconds": spent}))
