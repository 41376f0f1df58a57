"""Single values of FHIR R4 that laboratory results are made of; what can't be used says why."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from diascope.core.errors import DataRefused
from diascope.serve.beside.observations import Observation

LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
_CODE = re.compile(r"[0-9]{1,8}-[0-9]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
LONGEST_NAME, LONGEST_SAID, LONGEST_UNIT = 128, 256, 32

Said = tuple[float | None, str, str]
"""Value, words, unit."""


class Unusable(DataRefused):
    """A part that can't be kept, `wrong` says why; it is told in the answer.

    Args:
        what: Which.
        why: For people.
    """

    def __init__(self, what: str, why: str) -> None:
        super().__init__(why)
        self.what = what


def text(given: object, longest: int) -> str | None:
    """A text without control characters; None where it is none, too long, or empty."""
    if not isinstance(given, str) or _CONTROL.search(given) or len(given.strip()) > longest:
        return None
    return given.strip() or None


def number(given: object) -> float | None:
    """A finite number; None where it is none."""
    if isinstance(given, bool) or not isinstance(given, int | float):
        return None
    try:
        value = float(given)
    except OverflowError:
        return None
    return value if math.isfinite(value) else None


def coded(code: object) -> str:
    """The LOINC code of a CodeableConcept; "" without one."""
    for one in _codings(code):
        found = text(one.get("code"), 32)
        if one.get("system") == LOINC and found and _CODE.fullmatch(found):
            return found
    return ""


def name_of(code: object) -> str:
    """What a CodeableConcept calls it.

    Raises:
        Unusable: When it calls it nothing that can be kept.
    """
    found = words_of(code, LONGEST_NAME)
    if found is None:
        raise Unusable("code", f"it has no name of at most {LONGEST_NAME} characters")
    return found


def words_of(concept: object, longest: int) -> str | None:
    """The text of a CodeableConcept, else the display of its first coding that has one, else a code."""
    if not isinstance(concept, Mapping):
        return None
    codings = _codings(concept)
    options = [concept.get("text"), *(one.get("display") for one in codings), *(one.get("code") for one in codings)]
    return next((found for one in options if (found := text(one, longest))), None)


def valued(one: Mapping[str, Any]) -> Said:
    """The value of an Observation or of a component.

    Raises:
        Unusable: When it has none that can be kept.
    """
    present = [name for name in one if name.startswith("value")]
    if len(present) != 1:
        absent = words_of(one.get("dataAbsentReason"), LONGEST_SAID)
        why = f"it has no value: {absent}" if absent else f"it has {len(present)} values"
        raise Unusable("value", why if present or absent else "it has no value")
    (name,) = present
    if name == "valueQuantity":
        return _quantity(one[name])
    if name == "valueInteger" and (whole := number(one[name])) is not None:
        return whole, "", ""
    said = _in_words(name, one[name])
    if said is None:
        raise Unusable(name, f"such a value is not kept, or is longer than {LONGEST_SAID} characters")
    return None, said, ""


def _in_words(name: str, given: object) -> str | None:
    if name in ("valueString", "valueDateTime", "valueTime"):
        return text(given, LONGEST_SAID)
    if name == "valueCodeableConcept":
        return words_of(given, LONGEST_SAID)
    if name == "valueBoolean" and isinstance(given, bool):
        return "true" if given else "false"
    if name == "valueRatio" and isinstance(given, Mapping):
        parts = [_quantity(given.get(side)) for side in ("numerator", "denominator")]
        return ":".join(f"{value:.12g} {unit}".strip() for value, _, unit in parts if value is not None)
    return None


def _quantity(given: object) -> Said:
    if not isinstance(given, Mapping):
        raise Unusable("valueQuantity", "it is no quantity")
    value, unit = number(given.get("value")), unit_of(given)
    if value is None:
        raise Unusable("valueQuantity", "its value is no finite number")
    sign = given.get("comparator")
    if sign is None:
        return value, "", unit
    if sign not in ("<", "<=", ">=", ">"):
        raise Unusable("valueQuantity", "its comparator is unknown")
    # Beyond what could be measured: a number would be drawn and judged as if it had been.
    return None, f"{sign} {value:.12g}", unit


def unit_of(quantity: Mapping[str, Any]) -> str:
    """The UCUM code of a quantity where it has one, else its unit as it came.

    Raises:
        Unusable: When it is too long to be kept.
    """
    given = quantity.get("code") if quantity.get("system") == UCUM and quantity.get("code") else quantity.get("unit")
    if given in (None, ""):
        return ""
    found = text(given, LONGEST_UNIT)
    if found is None:
        raise Unusable("unit", f"its unit is no text of at most {LONGEST_UNIT} characters")
    return found


def ranged(given: object, one: Observation) -> tuple[float | None, float | None]:
    """Low and high end of the reference range of a value, in its unit; both None where there is none.

    Raises:
        Unusable: When there is one that can't be kept, or more than one that could be meant.
    """
    what = "referenceRange"
    ranges = [each for each in given if isinstance(each, Mapping)] if isinstance(given, list) else []
    usual = [each for each in ranges if _is_usual(each)]
    if not ranges:
        return None, None
    if len(usual) != 1 or any(usual[0].get(name) for name in ("appliesTo", "age")):
        raise Unusable(what, "it is not certain that one range applies to this patient")
    if one.value is None:
        raise Unusable(what, "there is no number that could lie in it")
    low, high = (_end(usual[0].get(side), one) for side in ("low", "high"))
    if low is None and high is None:
        raise Unusable(what, "it is in words")
    if low is not None and high is not None and low > high:
        raise Unusable(what, "its low end is above its high end")
    return low, high


def _is_usual(each: Mapping[str, Any]) -> bool:
    """Whether a range is the normal one: those for therapy, pre-therapy or a recommendation are not."""
    codings = _codings(each.get("type"))
    return not each.get("type") or any(one.get("code") == "normal" for one in codings)


def _end(given: object, one: Observation) -> float | None:
    if given is None:
        return None
    value = number(given.get("value")) if isinstance(given, Mapping) else None
    if not isinstance(given, Mapping) or value is None:
        raise Unusable("referenceRange", "an end of it is no finite number")
    unit = unit_of(given)
    shown = {unit, text(given.get("unit"), LONGEST_UNIT) or ""}
    if unit and one.unit not in shown:
        raise Unusable("referenceRange", "it is in another unit than the value")
    return value


def timed(one: Mapping[str, Any]) -> tuple[float | None, str]:
    """When it was taken, seconds since 1970, and what of it is not known."""
    given = one.get("effectiveDateTime", one.get("effectiveInstant"))
    period = one.get("effectivePeriod")
    if given is None and isinstance(period, Mapping):
        return _moment(period.get("start"))[0], "it was taken over a period: its start is kept"
    if given is None:
        return None, "nobody said when it was taken" if "effectiveTiming" not in one else "a timing is not kept"
    return _moment(given)


def _moment(given: object) -> tuple[float | None, str]:
    if not isinstance(given, str):
        return None, "the time is no text"
    try:
        if _DAY.fullmatch(given):
            day = datetime.fromisoformat(given).replace(tzinfo=UTC)
            return day.timestamp(), "only the day is known: 00:00 UTC is kept"
        if _MOMENT.fullmatch(given):
            return datetime.fromisoformat(given).timestamp(), ""
    except (ValueError, OverflowError):
        return None, "there is no such day or time"
    return None, "the time is not known to the day, or has no time zone"


def _codings(concept: object) -> Sequence[Mapping[str, Any]]:
    codings = concept.get("coding") if isinstance(concept, Mapping) else None
    return [one for one in codings if isinstance(one, Mapping)] if isinstance(codings, list) else []
