"""Colours of what is drawn into a picture."""

from __future__ import annotations

LABEL_COLOURS = ("#e8743b", "#2aa9e0", "#3fbf7f", "#d268b0", "#b08cff", "#e0b02a", "#19a6a0", "#f2789f")
"""Of label values 1, 2, ...: told apart by colour-blind readers; a value has the same colour in every picture."""
TRUTH_COLOUR = "#fff04a"
HEAT_COLOUR = "#e8743b"
"""Behind a trace, where it led to the answer."""


def label_colour(value: int) -> str:
    """The colour of a label value, the same in every picture."""
    return LABEL_COLOURS[(value - 1) % len(LABEL_COLOURS)]
