"""One unit for another, where a factor alone is between them (UCUM)."""

from __future__ import annotations

from types import MappingProxyType

FACTORS = MappingProxyType(
    {
        "V": ("V", 1.0),
        "mV": ("V", 1e-3),
        "uV": ("V", 1e-6),
        "nV": ("V", 1e-9),
        "Pa": ("Pa", 1.0),
        "kPa": ("Pa", 1e3),
        "mm[Hg]": ("Pa", 133.322387415),
        "cm[H2O]": ("Pa", 98.0665),
        "/min": ("Hz", 1 / 60),
        "Hz": ("Hz", 1.0),
        "L/min": ("L/s", 1 / 60),
        "L/s": ("L/s", 1.0),
        "mL/s": ("L/s", 1e-3),
        "%": ("1", 1e-2),
        "1": ("1", 1.0),
        "A": ("A", 1.0),
        "mA": ("A", 1e-3),
        "uA": ("A", 1e-6),
    }
)
"""Unit to what is measured and how many of its plain units it is."""


def factor(have: str, want: str) -> float | None:
    """What a number in one unit is multiplied with to be in another; None where they measure different things.

    A unit that nobody stated is taken for the other.

    >>> factor("uV", "mV"), factor("", "mV"), factor("mm[Hg]", "mV")
    (0.001, 1.0, None)
    """
    if have == want or not have or not want:
        return 1.0
    if have not in FACTORS or want not in FACTORS or FACTORS[have][0] != FACTORS[want][0]:
        return None
    # Rounded: 1e-6 / 1e-3 is not 0.001 in binary.
    return float(f"{FACTORS[have][1] / FACTORS[want][1]:.12g}")
