"""Units of signals as UCUM writes them (ucum.org)."""

from __future__ import annotations

from types import MappingProxyType

UCUM = MappingProxyType(
    {
        "uv": "uV",
        "µv": "uV",
        "microvolt": "uV",
        "mv": "mV",
        "millivolt": "mV",
        "mmhg": "mm[Hg]",
        "mm[hg]": "mm[Hg]",
        "bpm": "/min",
        "beats/min": "/min",
        "1/min": "/min",
        "degc": "Cel",
        "°c": "Cel",
        "c": "Cel",
        "celsius": "Cel",
        "percent": "%",
        "pct": "%",
        "nd": "",
        "nu": "",
        "adu": "",
        "no units": "",
        "no unit": "",
        "unitless": "1",
    }
)
"""Spellings, in lower case, that other programs write. `V` is volt and `mV` millivolt: those that UCUM knows stay as
they are."""


def ucum(unit: str) -> str:
    """A unit as UCUM writes it, as far as it is known; else as it was given.

    >>> ucum("mmHg"), ucum("mV"), ucum("NU"), ucum("V")
    ('mm[Hg]', 'mV', '', 'V')
    """
    return UCUM.get(unit.strip().lower(), unit.strip())
