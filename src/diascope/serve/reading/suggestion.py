"""What a worklist shows of a result: how it is ordered, by which probability, and what it says in a word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from diascope.core.result import ABNORMAL

PRESENT, UNAVAILABLE, ROUTINE = 2, 1, 0
"""Orders of the worklist: a finding is called present; there is no answer; all else. None of them hides a study."""
CHOICES = frozenset({"largest", "median"})
"""Rules by which one class of several wins: that one is said, and none of them is an alarm."""
LONGEST = 256


def suggestion(state: str, findings: Mapping[str, Any]) -> dict[str, Any]:
    """The columns `priority`, `probability` and `says` of a result.

    Args:
        state: `answered` or `unavailable`.
        findings: The record `Findings` as JSON.

    Returns:
        Of what is called present the surest; where several classes exclude each other, the one that won.
    """
    if state != "answered":
        return {"priority": UNAVAILABLE, "probability": None, "says": ""}
    present = [one for one in findings.get("findings", ()) if one.get("status") == "present"]
    alarms = [one for one in present if _is_alarm(one)]
    if alarms:
        return _said(PRESENT, alarms)
    if chosen := [one for one in present if (one.get("operating_point") or {}).get("rule") in CHOICES]:
        return _said(ROUTINE, chosen)
    is_refused = any(one.get("status") == "abstained" for one in findings.get("findings", ()))
    return {"priority": UNAVAILABLE if is_refused else ROUTINE, "probability": None, "says": ""}


def _is_alarm(finding: Mapping[str, Any]) -> bool:
    """Whether it was called present because it passed its own operating point, or is a structure that is no anatomy."""
    if str(finding.get("code") or "").partition(":")[2] in ABNORMAL:
        return True
    point = finding.get("operating_point") or {}
    return point.get("rule") not in CHOICES and point.get("of", finding["concept"]) == finding["concept"]


def _said(priority: int, findings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    surest = max(findings, key=lambda one: _probability(one) or 0.0)
    return {"priority": priority, "probability": _probability(surest), "says": str(surest["concept"])[:LONGEST]}


def _probability(finding: Mapping[str, Any]) -> float | None:
    value = (finding.get("measures", {}).get("probability") or {}).get("value")
    return float(value) if isinstance(value, int | float) else None
