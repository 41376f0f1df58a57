"""Whether a series keeps a rule, and each condition that it does not keep with the value that was there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from diascope.serve.rules.rule import Rule, When

LONGEST = 120
"""Characters of a value that are repeated in a reason."""


@dataclass(frozen=True)
class Facts:
    """What rules ask about a series.

    Args:
        modality: DICOM code.
        body_part: BodyPartExamined.
        description: Of the series.
        study_description: Of its study.
        thickness: Slice thickness in mm; None where nobody said.
        count: Number of instances.
        sop_classes: Of its instances.
        peer: Who sent it.
        image_type: Values of ImageType.
        project: Id.
        manufacturer: Of the device.
    """

    modality: str = ""
    body_part: str = ""
    description: str = ""
    study_description: str = ""
    thickness: float | None = None
    count: int = 0
    sop_classes: tuple[str, ...] = ()
    peer: str = ""
    image_type: tuple[str, ...] = ()
    project: str = ""
    manufacturer: str = ""


@dataclass(frozen=True)
class Explained:
    """What a rule says about a series.

    Args:
        rule: The rule.
        failed: Each condition that is not kept, with the value that was there.
    """

    rule: Rule
    failed: tuple[str, ...]

    @property
    def matches(self) -> bool:
        """Whether the release of the rule is to read the series."""
        return self.rule.enabled and not self.failed

    def to_json(self) -> dict[str, Any]:
        """For a dry run."""
        return {
            "rule": self.rule.name,
            "enabled": self.rule.enabled,
            "matches": self.matches,
            "failed": list(self.failed),
            "release": self.rule.release,
            "send": [one.to_json() for one in self.rule.send],
        }


def explain(facts: Facts, rules: Sequence[Rule]) -> list[Explained]:
    """For each rule whether it matches, and each condition that failed."""
    return [Explained(rule, tuple(_failed(facts, rule.when))) for rule in rules]


def _failed(facts: Facts, when: When) -> Iterator[str]:
    yield from _one_of("modality", facts.modality, when.modality)
    yield from _one_of("body part", facts.body_part, when.body_part)
    yield from _one_of("peer", facts.peer, when.peer)
    yield from _one_of("project", facts.project, when.project)
    yield from _patterns("description", facts.description, when.matches)
    yield from _patterns("manufacturer", facts.manufacturer, when.manufacturer)
    yield from _words(facts, when)
    yield from _between("slice thickness", facts.thickness, (when.thinnest, when.thickest), " mm")
    yield from _between("number of instances", facts.count, (when.fewest, when.most), "")
    if when.sop_class and not set(facts.sop_classes) & set(when.sop_class):
        yield f"SOP class {_shown(', '.join(facts.sop_classes))}, wanted {_any(when.sop_class)}"
    yield from _image_type(facts, when)


def _one_of(what: str, value: str, wanted: Sequence[str]) -> Iterator[str]:
    if wanted and value.casefold() not in {one.casefold() for one in wanted}:
        yield f"{what} {_shown(value)}, wanted {_any(wanted)}"


def _patterns(what: str, value: str, wanted: Sequence[str]) -> Iterator[str]:
    if wanted and not any(_fits(value.casefold(), one.casefold()) for one in wanted):
        yield f"{what} {_shown(value)}, wanted {_any(wanted)}"


def _words(facts: Facts, when: When) -> Iterator[str]:
    both = f"{facts.description}\n{facts.study_description}".casefold()
    shown = f"description {_shown(facts.description)} (study {_shown(facts.study_description)})"
    if when.contains and not any(word.casefold() in both for word in when.contains):
        yield f"{shown}, wanted {_any(when.contains)} in it"
    for word in when.contains_not:
        if word.casefold() in both:
            yield f"{shown}, wanted no {word!r} in it"


def _between(what: str, value: float | None, ends: tuple[float | None, float | None], unit: str) -> Iterator[str]:
    low, high = ends
    if low is None and high is None:
        return
    bounds = [f"at least {low:g}"] if low is not None else []
    wanted = " and ".join([*bounds, f"at most {high:g}"] if high is not None else bounds)
    if value is None:
        yield f"{what} is not stated, wanted {wanted}{unit}"
    elif (low is not None and value < low) or (high is not None and value > high):
        yield f"{what} {value:g}{unit}, wanted {wanted}"


def _image_type(facts: Facts, when: When) -> Iterator[str]:
    there = {one.casefold() for one in facts.image_type}
    shown = f"image type {_shown(', '.join(facts.image_type))}"
    for one in when.image_type:
        if one.casefold() not in there:
            yield f"{shown}, wanted {one!r} in it"
    for one in when.image_type_not:
        if one.casefold() in there:
            yield f"{shown}, wanted no {one!r} in it"


def _fits(value: str, pattern: str) -> bool:
    """`*` and `?` only, in time value times pattern: each star takes as little as it can (`[` is itself)."""
    at = star = mark = 0
    begun, place = False, 0
    while at < len(value):
        if place < len(pattern) and pattern[place] == "*":
            begun, star, mark = True, place, at
            place += 1
        elif place < len(pattern) and pattern[place] in ("?", value[at]):
            at, place = at + 1, place + 1
        elif begun:
            mark += 1
            at, place = mark, star + 1
        else:
            return False
    return not pattern[place:].strip("*")


def _any(wanted: Sequence[str]) -> str:
    return " or ".join(repr(one) for one in wanted)


def _shown(value: str) -> str:
    return repr(value[:LONGEST] + ("…" if len(value) > LONGEST else "")) if value else "is not stated"
