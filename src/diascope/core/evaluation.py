"""What was measured on which cases, and what may be used (`Release`)."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from diascope.core.case import Target
from diascope.core.figure import Figure
from diascope.core.finding import Measure
from diascope.core.record import Field, Record


class Subgroup(Record):
    """The metrics of the cases that share a covariate's value."""

    covariate: str
    value: str
    cases: int
    patients: int
    metrics: dict[str, Measure]


class CaseScore(Record):
    """One case's score, for the list of best, median and worst."""

    case: str
    patient: str
    score: float | None
    unit: str = "1"


class CaseValues(Record):
    """Every metric of one case alone."""

    case: str
    patient: str
    values: dict[str, float | None]
    """By the names, and in the units, of `Evaluation.metrics`; None where undefined."""


class Evaluation(Record):
    """Metrics with intervals, per class and subgroup, calibration, worst cases."""

    SCHEMA: ClassVar[int] = 1
    dataset: str
    part: str
    """`test`, `cross-validated` (out-of-fold), or `external`."""
    task: str
    release: str
    cases: int
    patients: int
    metrics: dict[str, Measure]
    headline: tuple[str, ...]
    """Names of the metrics that a report shows first."""
    decision: dict[str, Any]
    """Calibration and operating point of the release; `fitted_on` says on whose readings they were fitted."""
    decisions_by_fold: tuple[dict[str, Any], ...] = ()
    """Cross-validated: by what the cases of each fold were decided instead, fitted on the other folds' cases."""
    subgroups: tuple[Subgroup, ...] = ()
    cases_ranked: tuple[CaseScore, ...] = ()
    """Worst first."""
    case_values: tuple[CaseValues, ...] = ()
    """Of tasks whose metrics are means over cases; in the order of `cases_ranked`."""
    undefined: dict[str, int] = Field(default_factory=dict)
    """Metric to the number of cases without a value, which its mean leaves out; only where there are any."""
    figures: tuple[Figure, ...] = ()
    accepted: tuple[str, ...] = ()
    """Findings of the data check that were accepted by hand."""
    warnings: tuple[str, ...] = ()
    blocks: tuple[str, ...] = ()
    """Why what was trained must not be used: a release with any of these is neither signed nor read with."""
    backend: str = "torch"
    evaluated_by: str = ""
    created: str = ""


class GateRule(Record):
    """What an input must be for the release to read it."""

    input: str
    modality: str
    dimensions: Literal[0, 1, 2, 3]
    channels: int
    spacing_low: tuple[float, float, float] | None = None
    spacing_high: tuple[float, float, float] | None = None
    """Millimetres (z, y, x); None where the training images had none."""
    intensity: dict[str, tuple[float, float]] = Field(default_factory=dict)
    """Statistic to its allowed range over the whole image."""


class ColumnRule(Record):
    """What a number in a row of a table must be for the release to read it."""

    input: str
    column: str
    low: float
    high: float
    """Beyond these it is no value that training has prepared for: another unit, or a slip of the pen."""
    unit: str = ""
    """The release's own; a row that states another one is refused."""
    zero_is_missing: bool = False
    """Whether a 0 stands for a missing value, as it did in training."""


class Gate(Record):
    """The input gate of a release: declared rules and a distance in feature space."""

    rules: tuple[GateRule, ...]
    columns: tuple[ColumnRule, ...] = ()
    distance_limit: float | None = None
    """Largest Mahalanobis distance of the encoder's features that is still read; None where it has none."""
    false_refusal_rate: float | None = None
    """Share of cases like those in training that a limit fitted without them refuses."""
    false_refusal_high: float | None = None
    """Upper end of its 95 % interval."""
    fitted_on: int = 0
    """Cases."""


class Release(Record):
    """What may be used: the index of a release folder. A candidate until a named person signs it."""

    SCHEMA: ClassVar[int] = 1
    name: str
    version: str
    task: str
    target: Target
    dataset: str
    source: str = ""
    """Name of the source plug-in that listed the data set: `predict` lists with it where a layout says nothing."""
    plan_hash: str
    backend: str
    """Back end with which the decision was fitted."""
    precision: str
    decision: dict[str, Any]
    gate: Gate
    members: tuple[str, ...]
    """Weights files: one, or the folds of an ensemble."""
    hashes: dict[str, str]
    """File to SHA-256, for every file of the folder but this one."""
    seal: str = ""
    """SHA-256 of this record with an empty seal; set when it is written."""
    intended_use: str = "Research. Not a medical device: no authority has approved it for diagnosis."
    licence: str = ""
    signed_by: str | None = None
    signed_at: str | None = None
    created: str = ""
    environment: dict[str, str] = Field(default_factory=dict)

    @property
    def label(self) -> str:
        """`name@version`, as findings and reports cite it."""
        return f"{self.name}@{self.version}"
