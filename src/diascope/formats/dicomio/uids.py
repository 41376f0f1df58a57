"""What a UID looks like. No names of files are ever made from one (RELIABILITY B5)."""

from __future__ import annotations

import re

FORM = re.compile(r"[0-9]+(\.[0-9]+)*")
"""Components are never empty. Zeros before a number are wrong (PS3.5 9.1), common and harmless."""

LONGEST = 64


def is_uid(text: str) -> bool:
    """Whether a text that came from outside is a UID: digits and dots, at most 64 (PS3.5 9.1)."""
    return len(text) <= LONGEST and text.isascii() and FORM.fullmatch(text) is not None
