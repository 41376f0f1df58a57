"""Plan fields set by hand: a value must be of the kind that the rule's own value has."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from diascope.core.errors import BadUsage

AT_LEAST_ONE = frozenset(
    {"steps", "batch", "patch", "log_every", "checkpoint_every", "read_batch", "threads", "minutes"}
)


def checked(field: str, given: Any, rule: Any) -> Any:
    """A value set by hand, when it can stand where the rule's value stands.

    Args:
        field: Of the plan.
        given: By the user.
        rule: What would hold without the user.

    Raises:
        BadUsage: Says what the field takes.
    """
    wanted = _wrong(field, given, rule)
    if wanted:
        raise BadUsage(
            f"the plan field {field!r} takes {wanted}",
            given=repr(given),
            todo=f"The rule says {rule!r}; leave the setting out, or write for example --set {field}={_example(rule)}",
        )
    return given


def _wrong(field: str, given: Any, rule: Any) -> str:
    """What the field takes, where the value is something else; empty where it suits."""
    if isinstance(rule, bool):
        return "" if isinstance(given, bool) else "true or false"
    if isinstance(rule, int | float):
        return _wrong_number(field, given, rule)
    if isinstance(rule, str):
        return "" if isinstance(given, str) else "a name"
    if isinstance(rule, list) and rule and all(isinstance(one, int | float) for one in rule):
        ok = isinstance(given, list) and (not given or not any(_wrong_number(field, one, rule[0]) for one in given))
        same = isinstance(given, list) and (len(given) == len(rule) or field not in ("patch", "spacing", "betas"))
        return "" if ok and same else f"a list of {len(rule)} numbers"
    if isinstance(rule, list | dict):
        return "" if isinstance(given, type(rule)) else "a list" if isinstance(rule, list) else "names with values"
    return ""


def _wrong_number(field: str, given: Any, rule: float) -> str:
    whole = isinstance(rule, int)
    least = 1 if field in AT_LEAST_ONE and whole else 0
    kind = int if whole else int | float
    if isinstance(given, kind) and not isinstance(given, bool) and given >= least:
        return ""
    return f"a {'whole ' if whole else ''}number of at least {least}"


def _example(rule: Any) -> str:
    import json

    return json.dumps(rule, separators=(",", ":"))


def parse_settings(settings: Sequence[str]) -> dict[str, Any]:
    """`plan.steps=300` (or `steps=300`) to {"steps": 300}; values are JSON, else text.

    Raises:
        BadUsage: When there is no `=`.
    """
    found: dict[str, Any] = {}
    for setting in settings:
        field, equals, value = setting.partition("=")
        if not equals:
            raise BadUsage("a setting is written field=value", given=setting, todo="For example --set plan.batch=8")
        try:
            found[field.removeprefix("plan.")] = json.loads(value)
        except ValueError:
            found[field.removeprefix("plan.")] = value
    return found
