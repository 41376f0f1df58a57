"""Numbers as people read them: sensible digits, the unit, the interval; undefined is an en dash, never 0 or `nan`."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from diascope.core.finding import Measure
from diascope.reports.words import LANGUAGES, Words

UNDEFINED = "–"
SMALL_GROUP = 20
"""Patients under which DESIGN gives no interval and a table flags the row."""


def defined(value: float | None) -> bool:
    """Whether there is a number."""
    return value is not None and math.isfinite(value)


def decimals(values: Iterable[float | None], unit: str = "1") -> int:
    """Digits after the point that serve all values: two for shares, three near 1, three significant ones otherwise."""
    known = [abs(value) for value in values if value is not None and math.isfinite(value)]
    if not known:
        return 2
    largest = max(known)
    if unit == "1" and largest <= 1:
        return 3 if 0.99 <= known[0] < 1 or (len(known) == 3 and 0 < abs(known[2] - known[1]) < 0.015) else 2
    if unit == "%":
        return 1 if largest < 99.95 else 0
    if largest == 0:
        return 0
    return max(0, min(3, 2 - math.floor(math.log10(largest))))


def number(value: float | None, digits: int = 2) -> str:
    """One number with a true minus sign and grouped thousands; undefined as a dash."""
    if value is None or not math.isfinite(value):
        return UNDEFINED
    text = f"{value:,.{digits}f}"
    if text.startswith("-") and not text.strip("-0.,"):
        text = text[1:]
    return text.replace("-", "\N{MINUS SIGN}")


def plain(value: float) -> str:
    """A number of unknown meaning: integers whole, others with three significant digits."""
    if not math.isfinite(value):
        return UNDEFINED
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}".replace("-", "\N{MINUS SIGN}")
    if abs(value) < 1e-3 or abs(value) >= 1e6:
        return f"{value:.3g}".replace("-", "\N{MINUS SIGN}")
    text = number(value, decimals([value], "any"))
    return text.rstrip("0").rstrip(".") if "." in text else text


def unit_text(unit: str) -> str:
    """A unit for people, with the space before it; nothing for plain numbers. UCUM writes annotations in braces."""
    return "" if unit in ("1", "") else f"\N{NO-BREAK SPACE}{unit.strip('{}')}"


def interval(measure: Measure, words: Words) -> str:
    """`0.88–0.94`, with words between the ends where one is negative; empty where there is none."""
    if not (defined(measure.low) and defined(measure.high)):
        return ""
    digits = decimals((measure.value, measure.low, measure.high), measure.unit)
    low, high = number(measure.low, digits), number(measure.high, digits)
    return words("interval.signed", low=low, high=high) if "\N{MINUS SIGN}" in low + high else f"{low}–{high}"


def value_text(measure: Measure) -> str:
    """The value alone, without unit."""
    return number(measure.value, decimals((measure.value, measure.low, measure.high), measure.unit))


def measure_text(measure: Measure, words: Words) -> str:
    """`0.91 (0.88–0.94)`, `1.24 mm (1.10–1.41)`, or `–`."""
    if not defined(measure.value):
        return UNDEFINED
    between = interval(measure, words)
    return f"{value_text(measure)}{unit_text(measure.unit)}" + (f" ({between})" if between else "")


def anything(value: Any, words: Words) -> str:
    """A JSON value as a person reads it: lists with commas, yes and no, numbers rounded, one language of several."""
    if value is None:
        return words("none")
    if isinstance(value, bool):
        return words("yes" if value else "no")
    if isinstance(value, int | float):
        return str(value) if isinstance(value, int) else plain(value)
    if isinstance(value, dict):
        return _fields(value, words) or words("none")
    if isinstance(value, list | tuple):
        return ", ".join(_within(item, words) for item in value) or words("none")
    return words.phrase(value) if isinstance(value, str) and " " in value else str(value)


def _fields(value: dict[str, Any], words: Words) -> str:
    if value and set(value) <= set(LANGUAGES):
        return str(value.get(words.lang, next(iter(value.values()))))
    said = {key: f"({_fields(item, words)})" if isinstance(item, dict) else item for key, item in value.items()}
    told = {key: item if isinstance(value[key], dict) else anything(item, words) for key, item in said.items()}
    return "; ".join(f"{key}: {text}" for key, text in told.items() if said[key] not in ("", "()"))


def _within(item: Any, words: Words) -> str:
    """An item of a list: lists and fields inside are bracketed, a name with its options is not."""
    match item:
        case [str(name), dict(options)]:
            return f"{name} ({_fields(options, words)})" if options else name
        case list() | tuple():
            return f"[{anything(item, words)}]"
        case dict():
            return f"({anything(item, words)})"
    return anything(item, words)
