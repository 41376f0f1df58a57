"""Single cells of a table: what stands for nothing, and what can only be a value."""

from __future__ import annotations

import math

MISSING = ("", "na", "n/a", "nan", "null", "?")
"""Cells that hold nothing, compared in lower case."""

NO_SIGN = ("-", "--")
"""Stand for nothing, except in a column that holds `+` too: there they are the answer of a test, or a class."""

MISSING_IN_TABLES = (*MISSING, "<na>", "#n/a", "#na", "n.a.", "\\n", ".", "missing", *NO_SIGN)
r"""Cells of table files that hold nothing, compared in lower case: those of every source, and what pandas (`<NA>`),
Excel (`#N/A`), databases (`\N`), SAS (`.`) and people write.

Left out, because they may be values: `none` (a grade, an oedema), `unknown` (a category of its own), `nd` (not done,
not detected, not demented), `inf`, and Excel's other errors (`#DIV/0!`), which a person should see.
"""


def trimmed(cell: str) -> str:
    """A cell without the blanks, tabs and single quotes around it."""
    text = cell.strip()
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1].strip()
    return text


def is_missing(text: str) -> bool:
    """Whether a trimmed cell holds nothing, `-` included."""
    return text.lower() in MISSING_IN_TABLES


def is_value(text: str) -> bool:
    """Whether a trimmed cell can only be a value and no name: a number, or digits without a letter (dates, `<5`)."""
    return number_of(text) is not None or (any(map(str.isdigit, text)) and not any(map(str.isalpha, text)))


def number_of(text: str) -> float | None:
    """A cell as a finite number, None where it is none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
