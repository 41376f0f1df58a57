"""Which texts are units of measurement."""

from __future__ import annotations

import re
import unicodedata
from types import MappingProxyType

PREFIXED = MappingProxyType(
    {
        "g": "kmuμnp",
        "m": "kcmuμn",
        **dict.fromkeys(("L", "l"), "dcmuμnf"),
        "mol": "mkuμnpf",
        **dict.fromkeys(("eq", "Eq", "osm", "Osm", "osmol", "Osmol"), "mu"),
        **dict.fromkeys(("U", "IU", "u"), "mkuμ"),
        "kat": "uμn",
        "s": "muμn",
        "Pa": "hk",
        "Hz": "kM",
        "V": "mu",
        "cal": "k",
        "J": "k",
        "W": "m",
        "Gy": "mc",
        "Sv": "mu",
        "Bq": "kM",
    }
)
"""Units and the prefixes that they have in medicine. No others: `Mg` is magnesium, `dm` diabetes, `pT` a stage."""

PLAIN = (
    *("%", "‰", "ppm", "mmHg", "cmHg", "mm[Hg]", "cmH2O", "°C", "°F", "degC", "degF", "Cel", "deg", "°", "dB", "HU"),
    *("years", "year", "yrs", "yr", "y", "months", "month", "mo", "weeks", "week", "wks", "wk", "days", "day", "d"),
    *("hours", "hour", "hrs", "hr", "h", "minutes", "minute", "mins", "min", "seconds", "second", "sec"),
    *("bpm", "beats", "breaths", "cells", "copies", "units", "packyears", "pack-years", "HPF", "hpf", "px", "pixels"),
    *("in", "inches", "ft", "lb", "lbs", "oz"),
    *("岁", "年", "月", "周", "天", "次/分", "毫米汞柱"),
)
"""Units that take no prefix. `C`, `F`, `K` and `T` are not among them: alone they are more often names than units."""

_ATOM = "|".join(
    sorted(
        [
            *(f"[{prefixes}]?{re.escape(atom)}" for atom, prefixes in PREFIXED.items()),
            *map(re.escape, PLAIN),
            # Thousands and millions, as laboratories print counts.
            "[KM](?=/)",
        ],
        key=len,
        reverse=True,
    )
)
_POWER = r"x?10(?:\^|\*{1,2}|[eE])\d{1,2}"
_COUNT = rf"(?:{_POWER}|x?10{{0,3}})"
_DENOMINATOR = r"\d+(?:\.\d+)?"
"""Of the 24 h or 1.73 m²: only there, as `Apgar (5 min)` is no unit."""
_EXPONENT = r"(?:\^?-?\d)?"
_FIRST = rf"(?:(?:{_POWER}[.*·]?)?(?:{_ATOM}){_EXPONENT}|{_COUNT}(?=/))"
_NEXT = rf"(?:[.*·](?:{_ATOM}){_EXPONENT}|/(?:{_DENOMINATOR})?(?:{_ATOM}){_EXPONENT})"
_UNIT = rf"(?:{_FIRST}|(?=/)){_NEXT}*"
_SUPERSCRIPT = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+")


def is_unit(text: str) -> bool:
    """Whether a text is a unit: known ones with their prefixes, powers, products and ratios.

    Capitals do not count in ratios of longer units (`MG/DL`), which some laboratories print.

    Example:
        >>> [text for text in ("10^9/L", "mL/min/1.73 m²", "0=no, 1=yes", "M/F") if is_unit(text)]
        ['10^9/L', 'mL/min/1.73 m²']
    """
    powers = _SUPERSCRIPT.sub(lambda match: f"^{match[0]}", text)
    plain = "".join(unicodedata.normalize("NFKC", powers).split()).replace("×", "x").replace("\N{MINUS SIGN}", "-")
    if re.fullmatch(_UNIT, plain):
        return True
    shouted = "/" in plain and plain.isupper() and any(len(part) > 1 for part in plain.split("/"))
    return shouted and re.fullmatch(_UNIT, plain, re.IGNORECASE) is not None
