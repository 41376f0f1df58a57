"""A survey as checks of texts and sequences look at it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from diascope.core.case import Case, FileRef
from diascope.planning.survey import Survey


def looks_of(survey: Survey, kind: str) -> dict[str, list[tuple[Case, Mapping[str, Any]]]]:
    """Input name to the readable cases that have it, with what was seen of it; inputs of one kind alone."""
    found: dict[str, list[tuple[Case, Mapping[str, Any]]]] = {}
    for case in survey.cases:
        looks = survey.facts[case.id].looks if case.id in survey.facts else {}
        for name, look in looks.items():
            ref = case.inputs.get(name)
            if isinstance(ref, FileRef) and ref.kind == kind:
                found.setdefault(name, []).append((case, {**look.facts, "size": look.size, "digest": look.digest}))
    return found


def only_texts(case: Case) -> bool:
    """Whether a case has no input but texts."""
    return bool(case.inputs) and all(ref.kind == "text" for ref in case.inputs.values())
