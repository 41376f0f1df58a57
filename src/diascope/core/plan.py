"""What the data is (`Fingerprint`), and what was decided and why (`Plan`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self

from diascope.core.case import Target
from diascope.core.errors import UnknownName
from diascope.core.record import Field, Record


class ColumnFacts(Record):
    """Facts of one column of a table input over the training cases."""

    name: str
    kind: Literal["number", "category"]
    unit: str = ""
    """As the table states it."""
    values: tuple[str, ...] = ()
    """Of a category: those that occur, sorted."""
    quantiles: tuple[float, ...] = ()
    """Of a number: minimum, 5 %, 50 %, 95 %, maximum; of zeros that stand for missing values, none is counted."""
    missing: float = 0.0
    """Share of the cases without a value."""
    zeros_missing: bool = False
    """Whether a 0 stands for a missing value: no other value comes near it."""


class InputFacts(Record):
    """Facts of one named input over all cases, measured after reading."""

    kind: str
    modality: str
    channels: int
    dimensions: Literal[0, 1, 2, 3]
    """2 where every case has Z = 1; 1 for signals, texts and sequences, 0 for rows of tables."""
    physical: bool
    shapes: tuple[tuple[int, int, int], ...]
    """Minimum, 5th percentile, median, 95th percentile, maximum of (Z, Y, X), each axis apart."""
    spacings: tuple[tuple[float, float, float], ...]
    """The same five of the spacing (z, y, x) in mm; of pixel units where not physical."""
    intensity: dict[str, tuple[float, ...]]
    """`mean`, `std`, `low` (0.5 %), `high` (99.5 %) per channel; over foreground voxels where there is a mask."""
    per_case: dict[str, tuple[float, float]]
    """`mean` and `std` of the case means and of the case standard deviations over the cases."""
    unit: str = ""
    """Of an image: the unit that most files have."""
    integer: bool = False
    columns: tuple[str, ...] = ()
    """Names of the columns of a table input."""
    table: tuple[ColumnFacts, ...] = ()
    """Facts of these columns, in the same order."""
    extents: tuple[tuple[float, float, float], ...] = ()
    """The same five of what an image covers, size times spacing of each case: (z, y, x) in mm, or pixel units."""
    modality_reason: str = ""
    """Why images of which no file says the modality are taken for one; empty where files say it, or nothing does."""

    details: dict[str, Any] = Field(default_factory=dict)
    """What a kind of input that is no image knows beside, such as rate and channels of signals; JSON types."""

    @classmethod
    def without_space(cls, kind: str, channels: int, sizes: Sequence[int] = (1,) * 5, **others: Any) -> Self:
        """Facts of an input that lies nowhere in a patient.

        Args:
            kind: Of input.
            channels: Columns, channels, letters of the alphabet.
            sizes: The five quantiles (see `shapes`) of how many samples or letters it has.
            others: Further fields; `dimensions` is 0 where it is not given.
        """
        place: dict[str, Any] = {
            "dimensions": 0,
            "physical": False,
            "shapes": tuple((1, 1, size) for size in sizes),
            "spacings": ((1.0, 1.0, 1.0),) * len(sizes),
            "intensity": {},
            "per_case": {},
        }
        return cls(kind=kind, modality=kind, channels=channels, **{**place, **others})


class Fingerprint(Record):
    """What the data is."""

    SCHEMA: ClassVar[int] = 1
    dataset: str
    """Name and hash of the data set."""
    cases: int
    patients: int
    inputs: dict[str, InputFacts]
    order: tuple[str, ...] = ()
    """Names of the inputs in the order of the source: masks lie on the grid of the first image, and the others are
    brought to it. (A file does not keep the order of `inputs`.)"""
    lacking: dict[str, int] = Field(default_factory=dict)
    """Training cases that lack an input; only inputs that some lack."""
    strata: dict[str, int]
    """Cases in each stratum (class, or which structures are present) in the training part; a case that is of several
    (labels) counts in that of them which the fewest cases are of."""
    label_volumes: dict[str, float] = Field(default_factory=dict)
    """Median number of voxels of each structure in the masks that hold it; 0 where none does."""
    label_places: dict[str, tuple[float, float, float]] = Field(default_factory=dict)
    """5 %, 50 % and 95 % quantile, over the masks that hold it, of a structure's mean place across the upright image
    (-0.5 to 0.5); only for structures that enough masks hold."""
    box_sides: dict[str, tuple[float, float, float, float, float]] = Field(default_factory=dict)
    """Of boxes, for each label that has some in the training part: 5, 25, 50, 75 and 95 % quantile of a side (the root
    of the area, of a volume the cube root) in voxels of the image as it was read."""
    target_values: tuple[float, ...] = ()
    """Of a target that is a number: mean and standard deviation over the training part; empty for others."""
    target_image: InputFacts | None = None
    """Of a target that is an image: its facts over the training part, with `range` in `details` (medians of the 0.5 and
    99.5 percentiles of whole images); None for others."""
    pair_difference: tuple[float, ...] = ()
    """Of a target that is an image: medians, over the training part, of the mean absolute difference of input and
    target, and of the target from its own median; empty where inputs have other channels."""
    event_times: tuple[float, ...] = ()
    """Of a target that is a time to an event: 21 quantiles (0, 5, ..., 100 %) of the times at which events were seen in
    the training part; empty for others, and where none was seen."""
    label_counts: dict[str, tuple[int, int, int]] = Field(default_factory=dict)
    """Of a target of several labels: training cases in which each is present, absent, uncertain."""
    bytes_decoded: int
    """Memory that all decoded training images take as float32."""
    seconds_per_case: float
    """Time to read one case, measured."""


class Choice(Record):
    """One decision of a plan."""

    value: Any
    kind: Literal["fixed", "rule", "measured", "by hand"]
    reason: str
    """One line."""


class Plan(Record):
    """What will be done and why: a file that a person can read and edit."""

    SCHEMA: ClassVar[int] = 1
    dataset: str
    task: str
    target: Target
    seed: int
    choices: dict[str, Choice]

    def __getitem__(self, field: str) -> Any:
        """The value of one choice.

        Raises:
            UnknownName: When the plan has no such field.
        """
        if field not in self.choices:
            raise UnknownName("plan field", field, self.choices)
        return self.choices[field].value

    def with_choice(
        self, field: str, value: Any, kind: Literal["fixed", "rule", "measured", "by hand"], reason: str
    ) -> Plan:
        """The plan with one choice set."""
        choice = Choice(value=value, kind=kind, reason=reason)
        return self.model_copy(update={"choices": {**self.choices, field: choice}})
