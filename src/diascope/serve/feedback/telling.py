"""What came of a feedback, in a few lines: what changed, what is left open, and what to do next."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from diascope.core.feedback import Feedback

FEW = 5
"""Disagreements that are named."""


def facts_of(record: Feedback, folder: Path) -> dict[str, Any]:
    """For programs: what the record says, without its changes, which lie in the folder."""
    facts = {name: value for name, value in record.to_json().items() if name != "changes"}
    counts = Counter(one.change for one in record.changes)
    return {**facts, "changes": dict(sorted(counts.items())), "folder": str(folder)}


def lines_of(record: Feedback, folder: Path) -> list[str]:
    """For people."""
    counts = Counter(one.change for one in record.changes)
    authors = len({one.author for one in record.changes})
    said = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    lines = [f"{len(record.changes)} label changes of {authors} readers: {said}"]
    for one in record.disagreements[:FEW]:
        answers = ", ".join(f"{author}: {value}" for author, value, _ in one.answers)
        lines.append(f"open: {one.case} {one.column}: {answers}")
    if len(record.disagreements) > FEW:
        lines.append(f"open: {len(record.disagreements) - FEW} more, in feedback.json")
    lines += [f"left out: {why} ({count})" for why, count in sorted(record.left.items())]
    lines += list(record.notes)
    lines.append(f"{record.cases} cases with labels in {folder}")
    if record.cases:
        column = next(iter(record.columns), "label")
        lines.append(f"next: diascope check {folder} --target {column}")
    return lines
