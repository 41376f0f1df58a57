"""A routing rule as a record."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import StringConstraints, model_validator

from diascope.core.record import Field, Record

Word = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Kind = Literal["seg", "sr", "sc", "pdf", "oru", "fhir", "webhook", "report"]
Label = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,119}@[A-Za-z0-9._-]{1,64}$")]
"""`name@version` of a release: never a path."""


class When(Record):
    """What a series must be; what is not given is not asked. Words are compared without regard to capitals."""

    modality: tuple[Word, ...] = ()
    """DICOM codes, `CT`; any of them."""
    body_part: tuple[Word, ...] = ()
    """BodyPartExamined, `CHEST`; any of them."""
    contains: tuple[Word, ...] = ()
    """Words of which one must stand in the description of the series or of the study."""
    contains_not: tuple[Word, ...] = ()
    """Words of which none may stand there."""
    matches: tuple[Word, ...] = ()
    """Patterns with `*` and `?`, of which one must fit the whole description of the series. No regular expressions:
    some take for ever."""
    thinnest: float | None = Field(default=None, ge=0)
    thickest: float | None = Field(default=None, ge=0)
    """Slice thickness, mm."""
    fewest: int | None = Field(default=None, ge=1)
    most: int | None = Field(default=None, ge=1)
    """Number of instances."""
    sop_class: tuple[Word, ...] = ()
    """UIDs; any of them."""
    peer: tuple[Word, ...] = ()
    """Who sent it; any of them."""
    image_type: tuple[Word, ...] = ()
    """Values of ImageType that must all be there: `ORIGINAL`, `AXIAL`."""
    image_type_not: tuple[Word, ...] = ()
    """Values of which none may be there: `LOCALIZER`."""
    project: tuple[Word, ...] = ()
    """Projects by id; any of them."""
    manufacturer: tuple[Word, ...] = ()
    """Patterns with `*` and `?`; any of them."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        for low, high in ((self.thinnest, self.thickest), (self.fewest, self.most)):
            if low is not None and high is not None and low > high:
                raise ValueError(f"the smallest is {low:g}, more than the largest, {high:g}: nothing would match")
        return self


class Send(Record):
    """Where results go."""

    peer: Name
    """Name of a peer."""
    kinds: tuple[Kind, ...] = Field(default=("seg", "sr"), min_length=1)
    """What it gets: segmentation, structured report, secondary capture, encapsulated PDF; HL7 v2 ORU, FHIR
    DiagnosticReport, webhook; `report`: what a reader signed about the study, as the kind of the peer takes it."""


class Rule(Record):
    """Which series a release reads, and where its results go."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    enabled: bool = True
    when: When = When()
    release: Label
    """Label of the release: `lung@3`."""
    send: tuple[Send, ...] = ()
