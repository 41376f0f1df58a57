"""Spans that lie outside of their text, hold nothing, or lie on each other; types that are rarely marked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from diascope.checks import Check
from diascope.checks.judging.words import bars, count, some
from diascope.core.problem import Problem, Severity
from diascope.core.spans import Spans
from diascope.planning.survey import Survey

FEW = 20
"""Texts with a type below which little can be learnt, and hardly anything measured."""
Numbers = Callable[[Spans], Sequence[int]]


class SpansOfTexts:
    """What cannot be learnt is left out span by span; the text and its other spans are kept."""

    title = "Spans outside of the text, empty, twice, or on each other; rare types"

    def look(self, survey: Survey) -> list[Problem]:
        target = survey.target
        if target is None or target.kind != "spans":
            return []
        marked = {
            case.id: spans
            for case in survey.cases
            if case.id in survey.facts and isinstance(spans := case.targets.get(target.columns[0]), Spans)
        }
        if not marked:
            return []
        found = [
            _of_other_length(survey, marked),
            _left_out(marked, Spans.outside, "outside of its text", "warn", "A place counts characters from 0."),
            _left_out(marked, Spans.empty, "of no character", "warn", "An end is the character behind the last one."),
            _left_out(marked, Spans.twice, "marked twice", "note", "Each counts once."),
            _left_out(
                marked,
                Spans.crossed,
                "on top of a longer one",
                "warn",
                "A character can be one thing only: of spans that share some the longest is kept, of equally long ones "
                "the first.",
            ),
            _nothing(marked),
            *_types(marked, [label.name for label in target.labels]),
        ]
        return [one for one in found if one is not None]


def _left_out(
    marked: Mapping[str, Spans], numbers: Numbers, what: str, severity: Severity, todo: str
) -> Problem | None:
    found = {case: [spans.places[n] for n in numbers(spans)] for case, spans in marked.items()}
    held = {case: places for case, places in found.items() if places}
    if not held:
        return None
    total = sum(map(len, held.values()))
    shown = some(f"{case} ({places[0][0]} to {places[0][1]})" for case, places in held.items())
    return Problem(
        check="spans",
        severity=severity,
        title=f"{count(total, 'span')} {what}, in {count(len(held), 'text')}",
        detail=f"{shown}. {'They are' if total > 1 else 'It is'} left out. {todo}",
        cases=tuple(held),
    )


def _of_other_length(survey: Survey, marked: Mapping[str, Spans]) -> Problem | None:
    """Spans that count in another text than the one that is read: every place may be wrong."""
    strange = tuple(
        case
        for case, spans in marked.items()
        if survey.facts[case].looks
        and all(spans.length != look.size for look in survey.facts[case].looks.values())
    )  # fmt: skip
    if not strange:
        return None
    return Problem(
        check="spans",
        severity="warn",
        title=f"{count(len(strange), 'text')} of another length than the one that was marked",
        detail=f"{some(strange)}. Their spans may stand anywhere: they are left out. Mark the text that is there.",
        cases=strange,
        exclude=strange,
    )


def _nothing(marked: Mapping[str, Spans]) -> Problem | None:
    empty = tuple(case for case, spans in marked.items() if not spans.places)
    if not empty:
        return None
    return Problem(
        check="spans",
        severity="note",
        title=f"{count(len(empty), 'text')} without a span",
        detail=f"{some(empty)}. They are kept as texts in which nothing is to be found; one that was not marked yet "
        "looks the same, so look at them.",
        cases=empty,
    )


def _types(marked: Mapping[str, Spans], names: Sequence[str]) -> list[Problem]:
    spans = Counter(label for one in marked.values() for label in one.usable().labels)
    texts = Counter(label for one in marked.values() for label in set(one.usable().labels))
    problems = [
        Problem(
            check="spans",
            severity="note",
            title=", ".join(f"{name} {spans[name]:,}" for name in names) + " spans",
            detail="Texts that hold them: " + ", ".join(f"{name} {texts[name]:,}" for name in names) + ".",
            figure=bars("Spans of each type", [(name, spans[name]) for name in names]),
        )
    ]
    lone = [name for name in names if texts[name] < 2]
    rare = [name for name in names if 2 <= texts[name] < FEW]
    if lone:
        problems.append(
            Problem(
                check="spans",
                severity="warn",
                title=f"{some(lone)}: marked in {'one text' if any(texts[name] for name in lone) else 'no text'}",
                detail="It can be learnt or tested, not both: no figure about it will mean anything. Mark more texts, "
                "or leave this type out.",
            )
        )
    if rare:
        problems.append(
            Problem(
                check="spans",
                severity="note",
                title=f"{count(len(rare), 'type')} marked in fewer than {FEW} texts: "
                + ", ".join(f"{name} {texts[name]}" for name in rare),
                detail="Little can be learnt about them, and intervals will be wide or not given.",
            )
        )
    return problems


CHECK: Check = SpansOfTexts()
