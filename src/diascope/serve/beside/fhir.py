"""Laboratory results out of FHIR R4: what can be kept, and of each other thing where it stood and why it is left out.

Whose they are is looked at only to refuse a bundle about several patients; it is not kept.
Source: HL7 FHIR R4 (4.0.1), https://hl7.org/fhir/R4/observation.html.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from diascope.core.errors import BadUsage, DataRefused
from diascope.serve.beside.fhir_values import Unusable, coded, name_of, ranged, text, timed, valued
from diascope.serve.beside.observations import MOST, Observation

FINAL = ("final", "amended", "corrected")
"""States of an Observation that may be relied on."""
MOST_ENTRIES = 1000
JUDGING = ("interpretation", "note", "bodySite", "method", "specimen", "device", "hasMember", "derivedFrom")
"""What may change how a value is understood: it can't be kept, so it is told."""


@dataclass(frozen=True)
class Left:
    """Something that was not kept.

    Args:
        entry: Where it stood: `entry[3].component[0]`.
        what: Which part of it: `Observation`, `referenceRange`, …
        why: For people.
    """

    entry: str
    what: str
    why: str


@dataclass
class Found:
    """What a resource holds.

    Args:
        kept: What can be kept.
        left: What can't.
    """

    kept: list[Observation] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)


def read(resource: Mapping[str, Any]) -> Found:
    """The observations of a Bundle or of an Observation.

    Raises:
        BadUsage: When it is neither, or holds too much at once.
        DataRefused: When it is about several patients.
    """
    found, subjects = Found(), set[str]()
    for entry, one in _resources(resource):
        kind = one.get("resourceType") if isinstance(one, Mapping) else None
        if not isinstance(one, Mapping) or kind != "Observation":
            found.left.append(Left(entry, _short(kind), "only Observations are kept"))
            continue
        subjects |= _subject(one)
        _observation(entry, one, found)
    if len(subjects) > 1:
        raise DataRefused(
            "these are observations of several patients", given=len(subjects), todo="Send those of one patient"
        )
    if len(found.kept) > MOST:
        raise BadUsage("these are too many at once", given=len(found.kept), todo=f"Send at most {MOST}")
    return found


def _resources(resource: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    kind = resource.get("resourceType")
    if kind == "Observation":
        yield "Observation", resource
        return
    entries = resource.get("entry", [])
    if kind != "Bundle" or not isinstance(entries, list):
        raise BadUsage("this is neither a Bundle nor an Observation", given=_short(kind), todo="Send FHIR R4 as JSON")
    if len(entries) > MOST_ENTRIES:
        raise BadUsage("the bundle has too many entries", given=len(entries), todo=f"Send at most {MOST_ENTRIES}")
    for number, one in enumerate(entries):
        yield f"entry[{number}]", one.get("resource") if isinstance(one, Mapping) else None


def _subject(one: Mapping[str, Any]) -> set[str]:
    subject = one.get("subject")
    reference = subject.get("reference") if isinstance(subject, Mapping) else None
    return {reference} if isinstance(reference, str) else set()


def _observation(entry: str, one: Mapping[str, Any], found: Found) -> None:
    if one.get("status") not in FINAL:
        why = f"its status is {_short(one.get('status')) or 'missing'}; kept are {', '.join(FINAL)}"
        found.left.append(Left(entry, "Observation", why))
        return
    taken, remark = timed(one)
    if remark:
        found.left.append(Left(entry, "effective", remark))
    parts = one.get("component", [])
    parts = parts if isinstance(parts, list) else [parts]
    _value(entry, one, taken, found, silent=bool(parts))
    for number, part in enumerate(parts):
        where = f"{entry}.component[{number}]"
        if isinstance(part, Mapping):
            _value(where, part, taken, found)
        else:
            found.left.append(Left(where, "component", "it is no object"))
    for name in sorted(set(one) & set(JUDGING)):
        found.left.append(Left(entry, name, "there is no place for it beside a value; see the laboratory's own report"))


def _value(entry: str, one: Mapping[str, Any], taken: float | None, found: Found, silent: bool = False) -> None:
    """Keep what one code says; `silent` where a missing value is no fault, because components have the values."""
    if silent and not any(name.startswith("value") or name == "dataAbsentReason" for name in one):
        return
    try:
        code, name = coded(one.get("code")), name_of(one.get("code"))
        value, said, unit = valued(one)
        made = Observation(name=name, code=code, value=value, said=said, unit=unit, taken=taken)
    except Unusable as error:
        found.left.append(Left(entry, error.what, error.wrong))
        return
    try:
        low, high = ranged(one.get("referenceRange"), made)
        made = replace(made, low=low, high=high)
    except Unusable as error:
        found.left.append(Left(entry, error.what, error.wrong))
    found.kept.append(made)


def _short(given: object) -> str:
    return text(given, 64) or ""
