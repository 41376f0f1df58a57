"""One training: what was trained, how it went, and what it cost; and the encoder that a pretraining gives."""

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


class Encoder(Record):
    """What pretraining gives: the index of a folder with the weights of an encoder. It answers nothing by itself."""

    SCHEMA: ClassVar[int] = 1
    name: str
    version: str
    task: str
    """That was learnt without labels."""
    model: str
    dataset: str
    """Folder name of the data set in the workspace."""
    cases: int
    """That it learnt from."""
    patients: int
    run: str
    """Folder name of the run in the workspace."""
    plan_hash: str
    weights: str = "weights.safetensors"
    """File with the weights of the encoder, by their names in the network; nothing of the head."""
    seen: dict[str, float] = Field(default_factory=dict)
    """What the last look at the validation part measured, where there was one."""
    steps: int = 0
    minutes: float = 0.0
    """Of the training."""
    hashes: dict[str, str]
    """File to SHA-256, for every file of the folder but this one."""
    seal: str = ""
    """SHA-256 of this record with an empty seal; set when it is written."""
    licence: str = ""
    """Of the data, as its source states it; empty where it does not."""
    created: str = ""
    environment: dict[str, str] = Field(default_factory=dict)

    @property
    def label(self) -> str:
        """`name@version`, as plans cite it."""
        return f"{self.name}@{self.version}"
