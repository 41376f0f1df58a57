"""What releases and readers say about a case, as sentences of a report, in the language of a catalogue."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from diascope.core.finding import Finding, Measure, Place
from diascope.core.result import SURE
from diascope.core.result import words as status_of
from diascope.serve.room.numbers import quantity
from diascope.serve.room.words import Words

CALIBRATED = "calibrated"
"""How the note of a measure begins that is a calibrated probability."""
FIELDS = frozenset({"status", "value", "unit", "drawing", "boxes"})
"""Of a correction."""
LONGEST = 300
"""Characters of what an older reading says in a shape of its own."""


def said_of(finding: Finding, words: Words) -> str:
    """A finding in words: whether it is there, how sure, its numbers, where; never a negative where nothing is known.

    Args:
        finding: As the release said it.
        words: Of a language.
    """
    if finding.status == "abstained":
        return words.phrase(status_of(finding))
    known = [_measure(name, one, words) for name, one in finding.measures.items()]
    parts = [] if finding.status == "measured" and known else [words(f"report.status.{finding.status}")]
    where = [] if finding.place is None or finding.status == "absent" else place(finding.place, words)
    return words("report.between").join([*parts, *known, *where])


def corrected(given: Any, words: Words, finding: Finding | None = None) -> str:
    """What a reader says is right instead.

    Args:
        given: A `Correction` as JSON, or what readings of before had in its place.
        words: Of a language.
        finding: As the release said it: its status stands where the reader did not change it.
    """
    if not isinstance(given, Mapping):
        return str(given)[:LONGEST]
    status = given.get("status") or (finding.status if finding is not None else "")
    parts = [words(f"report.status.{status}")] if status in ("present", "absent") else []
    if given.get("value") is not None:
        parts.append(quantity(given["value"], str(given.get("unit") or "1")))
    if given.get("drawing"):
        parts.append(words("report.corrected.drawing"))
    if given.get("boxes"):
        where = words("report.between").join(box(one, words) for one in given["boxes"])
        parts.append(words("report.corrected.boxes", where=where))
    others = [(name, one) for name, one in given.items() if name not in FIELDS]
    parts += [f"{name}: {json.dumps(one, ensure_ascii=False)}"[:LONGEST] for name, one in others]
    return words("report.between").join(parts)


def missed(given: Mapping[str, Any], words: Words) -> str:
    """What a reader says of something that a release missed: where it is, and the comment."""
    parts = [words("report.status.present")]
    if given.get("place"):
        parts.append(box(given["place"], words))
    if given.get("drawing"):
        parts.append(words("report.added.drawn"))
    if given.get("comment"):
        parts.append(str(given["comment"]))
    return words("report.between").join(parts)


def reason(given: str, words: Words) -> str:
    """Why a result was rejected; readings of before had no reasons."""
    return words(f"report.reason.{given or 'none'}")


def not_available(why: str) -> str:
    """Why there is no answer, as records write it."""
    return why if why.startswith("not available") else f"not available, because {why or 'no reason was given'}"


def place(given: Place, words: Words) -> list[str]:
    """Where a finding is: its slices, counted from 1, and its centre in the patient."""
    first, last = given.start[0] + 1, given.stop[0]
    parts = []
    if last > first:
        parts.append(words("report.place.slices", first=first, last=last))
    elif first > 1:  # the first and only slice is a film's
        parts.append(words("report.place.slice", first=first))
    if given.centre_mm is not None:
        x, y, z = (f"{one:.1f}" for one in given.centre_mm)
        parts.append(words("report.place.centre", x=x, y=y, z=z))
    return parts


def box(given: Mapping[str, Sequence[int]], words: Words) -> str:
    """A box in voxels (z, y, x), half-open."""
    start, stop = (", ".join(map(str, given[name])) for name in ("start", "stop"))
    return words("report.corrected.box", start=start, stop=stop)


def sureness(finding: Finding) -> str:
    """The calibrated probability of a finding in percent; "" where it has none."""
    one = finding.measures.get("probability")
    if one is None or one.value is None or not one.note.startswith(CALIBRATED):
        return ""
    return f"{100 * one.value:.0f}"


def _measure(name: str, one: Measure, words: Words) -> str:
    if one.value is None:
        why = words.phrase(one.note)
        said = words("report.measure.undefined_because", why=why) if why else words("report.measure.undefined")
        return words("report.line", name=words.phrase(name), said=said)
    if name in SURE:
        kind = "calibrated" if name == "probability" and one.note.startswith(CALIBRATED) else name
        return words(f"report.measure.{kind}", value=f"{100 * one.value:.0f}")
    value = quantity(one.value, one.unit)
    if one.low is not None or one.high is not None:
        ends = [words("report.measure.open") if end is None else quantity(end, "1") for end in (one.low, one.high)]
        value = words("report.measure.interval", value=value, low=ends[0], high=ends[1])
    return words("report.measure.other", name=words.phrase(name), value=value)
