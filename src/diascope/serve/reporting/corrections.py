"""What a reader says is right instead, and what a release missed: their shapes, and what they may refer to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator
from sqlalchemy import Connection, select

from diascope.core.errors import BadUsage
from diascope.serve.database.room_tables import drawings
from diascope.serve.http.fields import Body, Id, Name, Text

Verdict = Literal["accept", "reject", "amend", "unsure"]
Reason = Literal["false_finding", "wrong_place", "wrong_size", "wrong_class", "poor_image", "not_for_this", "other"]
Unit = Annotated[str, Field(max_length=16, pattern=r"^[!-~µ]+$")]
Voxel = Annotated[list[Annotated[int, Field(ge=0, le=1_000_000)]], Field(min_length=3, max_length=3)]
MOST = 100
"""Boxes of a finding, and things that a release missed, in one reading."""


class Box(Body):
    """Voxels from `start` to before `stop`, (z, y, x) on the grid of the frames."""

    start: Voxel
    """The first."""
    stop: Voxel
    """One after the last."""

    @model_validator(mode="after")
    def _holds_something(self) -> Self:
        if any(first >= last for first, last in zip(self.start, self.stop, strict=True)):
            raise ValueError("a box begins before it ends, in every direction")
        return self


class Correction(Body):
    """What is right instead of what a finding says; one or more of the fields."""

    status: Literal["present", "absent"] | None = None
    """Whether it is there."""
    value: float | None = None
    """The number; with its unit."""
    unit: Unit | None = None
    """UCUM unit of the value: `mL`, `mm`, `1`."""
    drawing: Id | None = None
    """Id of a mask that the reader drew."""
    boxes: Annotated[list[Box], Field(min_length=1, max_length=MOST)] | None = None
    """Where it is."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if (self.value is None) != (self.unit is None):
            raise ValueError("a value comes with its unit")
        if not self.model_dump(exclude_none=True):
            raise ValueError("a correction says what is right: status, value with unit, drawing or boxes")
        return self


class Missed(Body):
    """Something that a reader found and the release did not."""

    concept: Name
    """What it is."""
    place: Box | None = None
    """Where it is."""
    drawing: Id | None = None
    """Id of a mask that the reader drew."""
    comment: Text = ""
    """In words, no names of patients."""


def drawn(amended: Mapping[str, Correction], added: Iterable[Missed]) -> list[str]:
    """Ids of the drawings that a reading refers to."""
    said: list[Correction | Missed] = [*amended.values(), *added]
    return [one.drawing for one in said if one.drawing is not None]


def refuse_other_findings(amended: Iterable[str], findings: Mapping[str, Any]) -> None:
    """Refuse corrections of what the release did not say.

    Args:
        amended: Names of findings.
        findings: The record `Findings` of the result as JSON.

    Raises:
        BadUsage: When a name is no finding's.
    """
    known = {str(one.get("concept")) for one in findings.get("findings", ())}
    for name in amended:
        if name not in known:
            todo = f"It has: {', '.join(sorted(known)) or 'none'}"
            raise BadUsage("`amended` names what is no finding of this result", given=name, todo=todo)


def refuse_other_drawings(connection: Connection, wanted: Iterable[str], series: int, revision: int) -> None:
    """Refuse drawings that are not on the grid of the series at the revision that was read.

    Raises:
        BadUsage: When there is no such drawing of it.
    """
    ids = sorted(set(wanted))
    if not ids:
        return
    mine = (drawings.c.series_id == series) & (drawings.c.revision == revision)
    there = set(connection.execute(select(drawings.c.id).where(mine, drawings.c.id.in_(ids))).scalars())
    for name in ids:
        if name not in there:
            raise BadUsage(
                "there is no such drawing on the series of this result, at its revision",
                given=name,
                todo="Draw it on the series that the result is of",
            )
