"""Recordings of a series: which leads they have, and their samples, as numbers that a viewer draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, Path, Query, Response

from diascope.core.errors import BadUsage, Conflict
from diascope.serve.http.asking import Who, operation
from diascope.serve.http.fields import Answer
from diascope.serve.http.routes.frames import OCTETS, Revision, found
from diascope.serve.http.routes.studies import UidInPath
from diascope.serve.viewing.signals import between, opened, overview

router = APIRouter(prefix="/studies/{study}/series/{series}/signal", tags=["signals"])

MOST_VALUES = 8 << 20
"""In one answer: 32 MiB."""
LATEST = 1e7
"""Seconds: a third of a year."""

Number = Annotated[int, Path(ge=1, le=100_000, description="Group of leads, from 1")]


@dataclass(frozen=True)
class Stretch:
    """Of a recording: between which moments, and how finely."""

    begin: Annotated[float, Query(alias="from", ge=0, le=LATEST, description="Seconds after the first sample")] = 0.0
    end: Annotated[float | None, Query(alias="to", ge=0, le=LATEST, description="The same; without it the end")] = None
    step: Annotated[
        int, Query(ge=1, le=10_000_000, description="Samples of which the smallest and largest are given; 1: each")
    ] = 1


class Filters(Answer):
    """What the device filtered away, Hz; null where the file does not say."""

    low: float | None
    """Slower than this."""
    high: float | None
    """Faster than this."""
    notch: float | None
    """Around this: the mains."""


class Lead(Answer):
    """One channel."""

    name: str
    """`aVR`."""
    unit: str
    """UCUM: `mV`; empty where the file does not say."""
    filters: Filters


class Leads(Answer):
    """Channels that were sampled together."""

    number: int
    """From 1, for the address of the samples."""
    instance: str
    """SOP Instance UID of its object."""
    label: str
    """As the device calls it; may be empty."""
    original: bool
    """Recorded; false where it was computed from a recording (median beats)."""
    rate: float
    """Samples a second."""
    samples: int
    """Of each channel."""
    start: float
    """Seconds from the beginning of the recording to the first sample."""
    leads: list[Lead]
    """In the order of the samples."""


class Signal(Answer):
    """The recordings of a series."""

    study: str
    """Study Instance UID."""
    series: str
    """Series Instance UID."""
    revision: int
    """Of the series; 0 while it has never been complete."""
    groups: list[Leads]
    """Object by object."""


@router.get("", openapi_extra=operation("rendered.read"))
def describe_signal(asked: Who, study: UidInPath, series: UidInPath) -> Signal:
    """Which groups of leads a series has, how fast and how long they were sampled, and in which units."""
    row = found(asked, study, series)
    with opened(asked.service, row) as recording:
        groups = [Leads.model_validate(one.to_json()) for one in recording.groups]
    asked.service.audit.tell(asked.event("study.viewed", study, project=row["project"], part="signal", series=series))
    return Signal(study=study, series=series, revision=row["revision"], groups=groups)


@router.get(
    "/{group}",
    openapi_extra=operation("rendered.read"),
    response_class=Response,
    responses={200: {"description": "Samples, lead by lead", "content": {OCTETS: {}}}},
)
def read_signal(
    asked: Who,
    study: UidInPath,
    series: UidInPath,
    group: Number,
    stretch: Annotated[Stretch, Depends()],
    revision: Revision = None,
) -> Response:
    """Samples of one group between two moments, lead by lead: float32, little endian, nan where there is none.

    The first is number `round(from * rate)` from 0, the last the one before `round(to * rate)`. With a `step` above 1
    each lead is the smallest and the largest value of every so many samples, in turn.
    """
    row = found(asked, study, series)
    if revision not in (None, row["revision"]):
        raise Conflict("the series has another revision by now", given=row["revision"], todo="Describe it again")
    begin, end, step = stretch.begin, stretch.end, stretch.step
    with opened(asked.service, row) as recording:
        wanted = between(recording.samples(group), recording.group(group).said["rate"], (begin, end))
        _refuse_much(wanted.size if step == 1 else 2 * -(-len(wanted) // step) * wanted.shape[1])
        values = wanted.T if step == 1 or not len(wanted) else overview(wanted, step).transpose(2, 1, 0)
        content = np.ascontiguousarray(values, "<f4").tobytes()
    detail: dict[str, Any] = {"part": "signal", "series": series, "group": group, "from": begin, "to": end}
    asked.service.audit.tell(asked.event("study.viewed", study, project=row["project"], **detail))
    return Response(content, media_type=OCTETS, headers={"Content-Disposition": "attachment"})


def _refuse_much(values: int) -> None:
    """Refuse an answer that is too long.

    Raises:
        BadUsage: Says how many values it may have.
    """
    if values > MOST_VALUES:
        raise BadUsage(
            f"more than {MOST_VALUES} values at once", given=values, todo="Ask for a shorter time, or a larger `step`"
        )
