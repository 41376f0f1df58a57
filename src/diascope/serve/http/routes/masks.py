"""Masks of results on the grid of the frames: the release's own, or what a reader drew instead."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import RowMapping

from diascope.core.errors import Conflict
from diascope.serve.http.asking import Asked, Who, operation
from diascope.serve.http.errors import NotFound
from diascope.serve.http.fields import Answer, InPath, Time
from diascope.serve.http.routes import findings
from diascope.serve.viewing import drawings, masks
from diascope.serve.viewing.series import series_by_id

router = APIRouter(prefix="/findings/{result}/mask", tags=["frames"])

OCTETS = "application/octet-stream"
Drawn = Annotated[
    str | None, Query(pattern=r"^[A-Za-z0-9_-]{1,32}$", description="Id of a drawing: that instead of the release's")
]


class MaskLabel(Answer):
    """What a voxel value means."""

    value: int
    """From 1."""
    name: str
    """As the finding has it."""
    code: str
    """`SCT:10200004`, or empty."""
    within: list[int]
    """Values of labels that it lies within: a label is its own voxels and those of all that lie within it."""


class Mask(Answer):
    """A mask on the grid of the frames of its series."""

    shape: tuple[int, int, int]
    """Frames, rows, columns."""
    labels: list[MaskLabel]
    """What the values mean; 0 is nothing."""
    source: Literal["release", "reader"]
    """Who made it."""
    drawing: str | None
    """Id of the drawing, where a reader made it."""
    by: str
    """Release, or name of the reader."""
    at: Time
    """When."""
    remarks: list[str]
    """What was done to put it on this grid."""


@dataclass(frozen=True)
class Found:
    """A mask, and who made it."""

    mask: masks.Mask
    by: str
    at: float
    drawing: str | None


@router.get("", openapi_extra=operation("findings.read"))
def describe_mask(asked: Who, result: InPath, drawing: Drawn = None) -> Mask:
    """The mask of a result: its shape, and what its values mean."""
    one = _found(asked, result, drawing)
    return Mask(
        shape=one.mask.shape,
        labels=[MaskLabel(**{**vars(label), "within": list(label.within)}) for label in one.mask.labels],
        source="release" if one.drawing is None else "reader",
        drawing=one.drawing,
        by=one.by,
        at=one.at,  # type: ignore[arg-type]
        remarks=list(one.mask.remarks),
    )


@router.get(
    "/voxels",
    openapi_extra=operation("findings.read"),
    response_class=Response,
    responses={200: {"description": "Values, slice by slice", "content": {OCTETS: {}}}},
)
def read_voxels(asked: Who, request: Request, result: InPath, drawing: Drawn = None) -> Response:
    """The values of the mask: one byte a voxel, slice by slice, row by row; as gzip where the client takes it."""
    return octets(request, _found(asked, result, drawing).mask)


def octets(request: Request, mask: masks.Mask) -> Response:
    """The voxels of a mask as an answer."""
    headers = {"Content-Disposition": "attachment", "Vary": "Accept-Encoding"}
    if _takes_gzip(request.headers.get("accept-encoding", "")):
        return Response(mask.packed, media_type=OCTETS, headers={**headers, "Content-Encoding": "gzip"})
    return Response(mask.voxels, media_type=OCTETS, headers=headers)


def _takes_gzip(accept: str) -> bool:
    """Whether `gzip` stands there, and not with the weight 0 (RFC 9110 12.5.3)."""
    found = re.search(r"(?:^|,)\s*(?:gzip|\*)\s*(?:;\s*q=([0-9.]+)\s*)?(?:,|$)", accept.lower())
    return found is not None and found[1] not in ("0", "0.", "0.0", "0.00", "0.000")


def _found(asked: Asked, result: str, drawing: str | None) -> Found:
    """The mask of a result, or what a reader drew on its series.

    Raises:
        NotFound: When there is none, or the caller may not know of it.
        Conflict: When it was drawn on another revision of the series.
    """
    of = findings.found(asked, result)
    row = series_by_id(asked.service, of["series_id"])
    if row is None:
        raise NotFound("there is no such result any more", given=result)
    found = _released(asked, of, row) if drawing is None else _drawn(asked, of, row, drawing)
    detail: dict[str, Any] = {"part": "mask", "result": result, **({"drawing": drawing} if drawing else {})}
    asked.service.audit.tell(asked.event("study.viewed", of["study"], project=of["project"], **detail))
    return found


def _released(asked: Asked, of: RowMapping, row: RowMapping) -> Found:
    mask = masks.release_mask(asked.service, of["id"], row)
    if mask is None:
        raise NotFound("this result has no mask", given=of["id"])
    return Found(mask, of["release"], of["answered"], None)


def _drawn(asked: Asked, of: RowMapping, row: RowMapping, drawing: str) -> Found:
    one = drawings.drawing_row(asked.service, drawing)
    if one is None or one["series_id"] != of["series_id"]:
        raise NotFound("there is no such drawing on the series of this result", given=drawing)
    if one["revision"] != row["revision"]:
        raise Conflict("it was drawn on another revision of the series", given=one["revision"])
    return Found(drawings.drawn_mask(asked.service, one), drawings.drawn_by(one), one["at"], drawing)
