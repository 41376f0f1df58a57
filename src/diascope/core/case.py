"""What a model sees of one patient at one time, and the frozen, patient-split list of such cases."""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from typing import ClassVar, Literal

from diascope.core.boxes import Boxes
from diascope.core.record import Field, Record
from diascope.core.spans import Spans

LIMIT = re.compile(r"^\s*(?:<=?|>=?|≤|≥)\s*(?P<number>[-+0-9.eE]+)\s*$")
"""`<0.5`: beyond what the method could measure."""
Scalar = str | float | int | bool | None
Split = Literal["train", "val", "test"]


def number_of(value: Scalar) -> float | None:
    """A cell as a finite number, `<0.5` as its limit; None where it is neither."""
    if isinstance(value, str):
        limit = LIMIT.match(value)
        try:
            value = float(limit["number"] if limit else value)
        except ValueError:
            return None
    return float(value) if value is not None and math.isfinite(value) else None


class FileRef(Record):
    """Where one input or mask is read from."""

    format: str
    """Name of the plug-in in `formats/` that reads it."""
    paths: tuple[str, ...]
    """One file, or all files of a DICOM series; relative to the data set's root, or absolute."""
    item: str | None = None
    """Which part of the file: `train_images:17` in an npz, `channel:2`, a SEG segment number, `union` of several
    masks; None is all of it."""
    modality: str | None = None
    """Name of the modality plug-in, where the source knows it and the file does not say."""
    kind: Literal["image", "signal", "text", "sequence"] = "image"
    """Kind of input."""
    digest: str | None = None
    """SHA-256 of the bytes at curation, to notice a file that changes during a run."""


Truth = FileRef | Boxes | Spans | Scalar
"""What a target column holds: a file of a mask or an image, boxes, spans of a text, or a value."""


class TableRef(Record):
    """A table row as an input: held in the manifest itself."""

    kind: Literal["table"] = "table"
    values: dict[str, Scalar]
    units: dict[str, str] = Field(default_factory=dict)
    """UCUM unit of a column, where the table states it."""

    def without(self, columns: Collection[str]) -> TableRef:
        """The row without some columns."""
        values = {name: value for name, value in self.values.items() if name not in columns}
        units = {name: unit for name, unit in self.units.items() if name not in columns}
        return self.model_copy(update={"values": values, "units": units})


class Step(Record):
    """One thing that was done to a case, or found about it."""

    what: str
    """Name of the transform, check or correction."""
    detail: str
    """In words, with numbers and units."""


class Case(Record):
    """One patient at one time: named inputs of any kinds, targets, and what is known about them."""

    id: str
    patient: str
    """Key that keeps all cases of a patient on one side of a split."""
    patient_known: bool = True
    """False where the source gives no patient and each case counts as its own."""
    inputs: dict[str, FileRef | TableRef]
    targets: dict[str, Truth] = Field(default_factory=dict)
    """Target column to a scalar (class, time, event, value), boxes, spans of a text, or the file of a mask or image."""
    split: Split | None = None
    """The split that the source gives, None where it gives none."""
    group: str | None = None
    """A further key that must not straddle splits (a study, a lesion, a near-duplicate cluster)."""
    site: str | None = None
    covariates: dict[str, Scalar] = Field(default_factory=dict)
    """Age, sex, scanner, ...: subgroup tables and shortcut probes use them."""
    synthetic: bool = False
    """Made by a program and of nobody: it is only ever trained on, never tested or calibrated with."""
    earlier: tuple[str, ...] = ()
    """Ids of the same patient's earlier cases, oldest first."""
    history: tuple[Step, ...] = ()


class Label(Record):
    """One class, or one structure in a mask."""

    name: str
    value: int
    """Index of the class, or the voxel value in the mask (0 is background); labels of boxes count from 1."""
    code: str | None = None
    """`scheme:value` of a coded concept, such as `SCT:10200004` (SNOMED CT), where one is known."""
    members: tuple[int, ...] = ()
    """A region: the voxel values that it unites; empty for a plain label."""


class Target(Record):
    """What is to be learnt: a column (or mask) with its meaning."""

    name: str
    kind: str
    """`category`, `mask`, `image` (values with a unit, on the grid of the first image), `boxes`, `spans`, or a kind
    that an out-of-tree task brings (`time_to_event`, ...)."""
    columns: tuple[str, ...]
    """Keys of `Case.targets` that it is read from."""
    labels: tuple[Label, ...] = ()
    ordered: bool = False
    """Whether the order of the classes means something: grades, stages."""
    positive: str | None = None
    """Name of the class whose presence is the finding, in a two-class target."""
    unit: str = ""
    """UCUM unit of a number, where it is known."""
    ignore: int | None = None
    """Voxel value that is neither learnt nor scored."""


Stratum = str | tuple[str, ...]
"""What a split is balanced by: the class of a case, or every label that it has (the rarest of them counts)."""


class Exclusion(Record):
    """A case that the data check took out, with the reason."""

    case: str
    check: str
    reason: str


class Dataset(Record):
    """A frozen list of cases, split by patient, named by its content hash."""

    SCHEMA: ClassVar[int] = 1
    name: str
    source: str
    """Name of the source plug-in."""
    root: str
    """Folder that relative paths start at."""
    task: str
    target: Target
    cases: tuple[Case, ...]
    """Every case with its final `split`; cross-validated sets have every case in `train` and use `folds`."""
    folds: tuple[tuple[str, ...], ...] = ()
    """Patient keys of each fold; empty where one split is used."""
    given_split: bool = False
    """Whether the source gave (part of) the split."""
    seed: int = 0
    licence: str = ""
    """What may be done with the data, as its source states it, and where; empty where it does not."""
    exclusions: tuple[Exclusion, ...] = ()
    accepted: tuple[str, ...] = ()
    """Findings of the data check that a person accepted with `--accept`."""
    notes: tuple[str, ...] = ()

    def part(self, split: Split) -> tuple[Case, ...]:
        """The cases of one split, in manifest order."""
        return tuple(case for case in self.cases if case.split == split)
