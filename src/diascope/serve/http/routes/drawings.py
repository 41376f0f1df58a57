"""Drawings: masks that readers make on the frames of a series. They are only ever added."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Body, Query, Request, Response
from sqlalchemy import Connection, RowMapping, insert

from diascope.core.errors import Conflict, DataRefused
from diascope.serve.database.room_tables import drawings
from diascope.serve.http import objects
from diascope.serve.http.asking import Asked, Who, operation
from diascope.serve.http.errors import NotFound
from diascope.serve.http.fields import Answer, InPath, Time
from diascope.serve.http.idempotency import Once
from diascope.serve.http.routes import frames, studies
from diascope.serve.http.routes.masks import OCTETS, octets
from diascope.serve.viewing import drawings as kept
from diascope.serve.viewing.series import opened
from diascope.store.archive import Stored

router = APIRouter(tags=["drawings"])

Voxels = Annotated[
    bytes,
    Body(media_type=OCTETS, description="uint8 (frames, rows, columns) on the grid of the frames, compressed by zlib"),
]
Labels = Annotated[
    list[Annotated[str, Query(max_length=260, pattern=r"^[0-9]{1,3}:[^\x00-\x1f\x7f-\x9f]{1,256}$")]],
    Query(min_length=1, max_length=255, description="Voxel value and name: `1:liver`; each value has one"),
]


class DrawnLabel(Answer):
    """What a voxel value means."""

    value: int
    """From 1."""
    name: str
    """As the reader named it."""


class Drawing(Answer):
    """A mask that a reader drew."""

    id: str
    """For ever."""
    study: str
    """Study Instance UID."""
    series: str
    """Series Instance UID."""
    revision: int
    """Of the series."""
    shape: tuple[int, int, int]
    """Frames, rows, columns."""
    labels: list[DrawnLabel]
    """What the values mean; 0 is nothing."""
    voxels: dict[str, int]
    """Name to the number of its voxels."""
    by: str
    """Name of the reader."""
    at: Time
    """When."""


@router.post("/studies/{study}/series/{series}/drawings", status_code=201, openapi_extra=operation("annotations.write"))
def keep_drawing(
    asked: Who,
    once: Once,
    study: studies.UidInPath,
    series: studies.UidInPath,
    label: Labels,
    body: Voxels,
    revision: frames.Revision = None,
) -> Drawing:
    """Keep a mask that was drawn on the frames of a series."""
    labels = kept.labels_of(label)
    row = frames.found(asked, study, series)
    if revision not in (None, row["revision"]):
        raise Conflict("the series has another revision by now", given=row["revision"], todo="Draw on that one")
    with opened(asked.service, row) as shown:
        frames.refuse_burned_in(asked, row, shown)
        if len(shown.parts) > 1:
            raise DataRefused("the series is no one volume, and can't be drawn on", given=f"{len(shown.parts)} parts")
        shape = shown.part(1).shape
    drawn = kept.checked(body, labels, shape)
    values = {"id": secrets.token_hex(16), "series_id": row["id"], "revision": row["revision"], "shape": list(shape)}
    values |= {"reader": asked.caller.id, "labels": {str(value): name for value, name in labels.items()}}
    return _kept(asked, once, row, values, drawn)


@router.get("/drawings/{drawing}", openapi_extra=operation("readings.read"))
def read_drawing(asked: Who, drawing: InPath) -> Drawing:
    """A drawing: on what, by whom, and what its values mean."""
    row = found(asked, drawing)
    counts = np.bincount(kept.voxels_of(asked.service, row).ravel(), minlength=256)
    _tell(asked, row)
    return _shown(row, {one.name: int(counts[one.value]) for one in kept.named(row)})


@router.get(
    "/drawings/{drawing}/voxels",
    openapi_extra=operation("readings.read"),
    response_class=Response,
    responses={200: {"description": "Values, slice by slice", "content": {OCTETS: {}}}},
)
def read_voxels(asked: Who, request: Request, drawing: InPath) -> Response:
    """The values of a drawing: one byte a voxel, slice by slice, row by row; as gzip where the client takes it."""
    row = found(asked, drawing)
    mask = kept.drawn_mask(asked.service, row)
    _tell(asked, row)
    return octets(request, mask)


def found(asked: Asked, drawing: str) -> RowMapping:
    """The row of a drawing, for those who may do with it what they ask. Never in a transaction: a refusal is audited.

    Raises:
        NotFound: When there is none, or the caller may not know of it.
        Forbidden: When the caller may not do this to it.
    """
    row = kept.drawing_row(asked.service, drawing)
    asked.on("" if row is None else row["project"], f"drawing:{drawing}")
    if row is None:
        raise NotFound("there is no such drawing", given=drawing)
    return row


def _kept(asked: Asked, once: Once, row: RowMapping, values: dict[str, Any], drawn: kept.Drawn) -> Drawing:
    service = asked.service

    def work(connection: Connection, stored: Stored) -> Drawing:
        still = studies.still(connection, row["study_uid"], row["project"])
        now = service.clock()
        connection.execute(insert(drawings).values(**values, key=stored.key, sha256=stored.sha256, at=now))
        detail = {"study": row["study_uid"], "series": row["uid"], "revision": row["revision"]}
        asked.record(connection, "drawing.kept", values["id"], still["project_id"], **detail)
        whole = {**values, "study": row["study_uid"], "series": row["uid"], "name": asked.caller.name, "at": now}
        return _shown(whole, drawn.counts)

    return objects.keep(asked, once, Drawing, drawn.packed, work)


def _tell(asked: Asked, row: RowMapping) -> None:
    detail = {"part": "drawing", "drawing": row["id"]}
    asked.service.audit.tell(asked.event("study.viewed", row["study"], project=row["project"], **detail))


def _shown(row: kept.Drawing, counts: Mapping[str, int]) -> Drawing:
    labels = [vars(one) for one in kept.named(row)]
    return Drawing.model_validate({**row, "labels": labels, "voxels": dict(counts), "by": kept.drawn_by(row)})
