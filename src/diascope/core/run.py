"""One training: what was trained, how it went, and what it cost."""

from __future__ import annotations

from typing import Any, ClassVar

from diascope.core.record import Field, Record


class Member(Record):
    """One trained network of a run (the only one, or one of its folds)."""

    fold: int | None
    weights: str
    """File, relative to the run's folder."""
    sha256: str
    steps: int
    """Steps that were done."""
    changes: tuple[tuple[int, int], ...]
    """(step, total): from that step on, the schedule ended at that total."""
    skipped: int = 0
    """Steps whose loss was not finite and that moved nothing."""
    compiled: bool | None = None
    """Whether torch.compile was faster and kept; None where it was not tried."""


class Run(Record):
    """One training of a plan, with all its folds."""

    SCHEMA: ClassVar[int] = 1
    name: str
    plan_hash: str
    dataset: str
    """Folder name of the data set in the workspace."""
    members: tuple[Member, ...]
    environment: dict[str, str]
    process: dict[str, str]
    """What was set in the process: allocator, threads, denormals."""
    predicted_minutes: float
    actual_minutes: float
    """Of the training alone."""
    predicted_gb: float
    actual_gb: float
    """Peak resident memory of the process."""
    created: str
    facts: dict[str, Any] = Field(default_factory=dict)
