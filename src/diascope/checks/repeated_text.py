"""The same words in several cases: templates, which are no copies of one report, but must not be learnt and tested."""

from __future__ import annotations

from diascope.checks import Check
from diascope.checks.judging.seen import label_of
from diascope.checks.judging.texts import looks_of, only_texts
from diascope.checks.judging.words import count, some
from diascope.core.case import Case
from diascope.core.problem import Problem
from diascope.planning.survey import Survey


class RepeatedText:
    """Texts of several patients that agree word by word.

    A normal film is often reported in the same words: to leave such reports out would change what is usual. They stay,
    on one side of every split, so that none is tested that was learnt by heart.
    """

    title = "The same words in the texts of several patients"

    def look(self, survey: Survey) -> list[Problem]:
        groups = _same_words(survey)
        apart = [group for group in groups if len({case.patient for case in group}) > 1]
        conflicting = [group for group in groups if len({label_of(case, survey.target) for case in group}) > 1]
        found = []
        if apart:
            cases = tuple(case.id for group in apart for case in group)
            split = [group for group in apart if len({case.split for case in group}) > 1]
            detail = f"{some(' = '.join(case.id for case in group) for group in apart)}. They are kept, on one side of "
            detail += "every split: a text that was learnt must not be tested."
            if split:
                detail += f" The given split parts {count(len(split), 'group')}: their results are too good."
            found.append(
                Problem(
                    check="repeated_text",
                    severity="warn" if split else "note",
                    title=f"{count(len(cases), 'text')} in {count(len(apart), 'group')} of the same words",
                    detail=detail,
                    cases=cases,
                    groups=tuple(tuple(case.id for case in group) for group in apart if group not in split),
                )
            )
        if conflicting:
            cases = tuple(case.id for group in conflicting for case in group)
            found.append(
                Problem(
                    check="repeated_text",
                    severity="warn",
                    title=f"{count(len(conflicting), 'text')} of the same words under different labels "
                    f"({count(len(cases), 'case')})",
                    detail=f"{some(' = '.join(case.id for case in group) for group in conflicting)}: no reader of the "
                    "words could tell them apart. Either the labels say what the text does not, or some are wrong; "
                    "they are kept, and no model can be right on all of them.",
                    cases=cases,
                )
            )
        return found


def _same_words(survey: Survey) -> list[list[Case]]:
    """Groups of cases that have no other input and whose texts agree, but for blanks."""
    groups: dict[tuple[tuple[str, str], ...], list[Case]] = {}
    said: dict[str, dict[str, str]] = {}
    cases: dict[str, Case] = {}
    for name, some_cases in looks_of(survey, "text").items():
        for case, facts in some_cases:
            if only_texts(case) and not facts.get("empty"):
                said.setdefault(case.id, {})[name] = facts["digest"]
                cases[case.id] = case
    for key, digests in said.items():
        groups.setdefault(tuple(sorted(digests.items())), []).append(cases[key])
    return [group for group in groups.values() if len(group) > 1]


CHECK: Check = RepeatedText()
