"""What is said about a case, and how sure."""

from __future__ import annotations

from typing import ClassVar, Literal

from diascope.core.record import Field, Record


class Measure(Record):
    """A number with its unit and interval.

    An interval that cannot honestly be given is None and `note` says why ("too few patients: 12").
    """

    value: float | None
    """None where undefined."""
    unit: str = "1"
    """UCUM unit: `1`, `mm`, `mL`, `%`, ..."""
    low: float | None = None
    high: float | None = None
    """95 % interval unless `note` says otherwise."""
    note: str = ""


class Place(Record):
    """Where: a box in voxels (z, y, x) half-open; `centre_mm` in millimetres of the patient (x, y, z; LPS), if any."""

    start: tuple[int, int, int]
    stop: tuple[int, int, int]
    centre_mm: tuple[float, float, float] | None = None


class TextSpan(Record):
    """Where in a text: characters (Unicode code points) of the text as it was read, counted from 0, half-open."""

    input: str
    """Name of the input that is the text."""
    start: int
    stop: int
    text: str
    """The words that stand there."""


class Threshold(Record):
    """The operating point as numbers: what `Finding.rule` says in words."""

    measure: str = "probability"
    """What is compared."""
    of: str
    """Name of the label whose measure is compared: in a two-class target that of the positive one, for both."""
    value: float | None = None
    """The label is present from this value on; None where the largest of all labels wins."""
    weight: float = 1.0
    """What the measure is multiplied by before the largest of all labels is taken (rarer classes weigh more)."""
    rule: str
    """How the value was chosen: `youden`, `sensitivity_at_least 0.95`, `largest`, ..."""
    sound: bool = True
    """False where the rule could not be followed (one class only)."""


class Finding(Record):
    """One statement about a case. "Not available" is `status="abstained"` with a reason, never a negative."""

    concept: str
    """Name of the label, or of what was measured."""
    code: str | None = None
    status: Literal["present", "absent", "measured", "abstained"]
    measures: dict[str, Measure] = Field(default_factory=dict)
    """`probability` (calibrated), `volume`, ..."""
    place: Place | None = None
    span: TextSpan | None = None
    rule: str = ""
    """The operating point in words: `probability >= 0.31 (Youden, validation)`."""
    operating_point: Threshold | None = None
    """The same in numbers, in full; None where nothing was decided."""
    reason: str = ""
    """Why it abstained."""


class Findings(Record):
    """`findings.json`: all that a release said about one input."""

    SCHEMA: ClassVar[int] = 1
    release: str
    """Model name, version and hash."""
    signed_by: str | None
    """None marks the findings as unsigned: the release is a candidate."""
    signature: Literal["signed", "unsigned"] = "unsigned"
    """Whether a named person signed the release."""
    task: str
    case: str
    inputs: dict[str, tuple[str, ...]]
    """SOP Instance UIDs, or file names with their SHA-256, of what was read."""
    backend: str
    created: str
    """UTC, ISO 8601."""
    findings: tuple[Finding, ...]
    reviewed: Literal["not reviewed"] = "not reviewed"
    notes: tuple[str, ...] = ()
    """What was corrected or noticed while reading."""
    files: dict[str, str] = Field(default_factory=dict)
    """What was written beside it: `mask`, `picture`, `dicom_seg`."""
