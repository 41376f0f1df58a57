"""`labels.json`: what the numbers of labels mean, in masks and in archives that only number them."""

from __future__ import annotations

import json
from pathlib import Path

from diascope.core.errors import UnreadableFile

LABELS = "labels.json"
"""Name of the file, beside the data."""


LARGEST = 65_535
"""The largest value that a label of a mask may have: label maps are written in at most 16 bits."""


def read_named(folder: Path) -> dict[int, str]:
    """Number to name, of the `labels.json` in a folder; empty where there is none.

    Both `{"vessel": 255}` and `{"255": "vessel"}` are understood, as in the two versions of `dataset.json`.

    Raises:
        UnreadableFile: When it is no such file, or names one number twice.
    """
    path = folder / LABELS
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise UnreadableFile(path, f"no JSON ({error})") from error
    example = 'Write {"vessel": 255} or {"255": "vessel"}'
    if not isinstance(content, dict) or not content:
        raise UnreadableFile(path, "not an object of names and whole numbers", example)
    pairs = list(content.items())
    if all(key.isdecimal() and isinstance(value, str) for key, value in pairs):
        pairs = [(value, int(key)) for key, value in pairs]
    if not all(type(value) is int and value >= 0 for _, value in pairs):
        raise UnreadableFile(path, "not an object of names and whole numbers", example)
    named = {value: name for name, value in pairs}
    if len(named) < len(pairs) or len(set(named.values())) < len(pairs):
        raise UnreadableFile(path, "one number has two names, or one name two numbers", "Keep one of them")
    return named
