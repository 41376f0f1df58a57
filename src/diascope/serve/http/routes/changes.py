"""What happened to the archive, in order: for whoever keeps a copy or an index of it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy import RowMapping, select

from diascope.serve.database.tables import changes, studies
from diascope.serve.http.asking import Who, operation
from diascope.serve.http.fields import Answer, Time
from diascope.serve.http.paging import Page, Paged, listed

router = APIRouter(prefix="/changes", tags=["changes"])


class Change(Answer):
    """Something that happened."""

    id: int
    """Grows with each change; later ones may be committed first, so keep the cursor and not the id."""
    kind: str
    """`instance_stored`, `series_completed`, `study_deleted`."""
    study: str
    """Study Instance UID."""
    series: str
    """Series Instance UID; empty where the whole study is meant."""
    instance: str
    """SOP Instance UID; empty where the whole series is meant."""
    at: Time
    """When."""


@router.get("", openapi_extra=operation("changes.list"))
def list_changes(
    asked: Who,
    paging: Paged,
    since: Annotated[int, Query(ge=0, le=2**53, description="Only those with a greater id")] = 0,
) -> Page[Change]:
    """Changes of studies that one may see, the oldest first; those of studies that are gone are for everywhere."""
    query = select(changes).where(changes.c.id > since)
    if not asked.reach.everywhere:
        mine = select(studies.c.uid).where(asked.within(studies.c.project_id))
        query = query.where(changes.c.study_uid.in_(mine))
    return listed(asked, query, (changes.c.id,), paging, _shown)


def _shown(row: RowMapping) -> Change:
    return Change(
        id=row["id"],
        kind=row["kind"],
        study=row["study_uid"],
        series=row["series_uid"],
        instance=row["instance_uid"],
        at=row["at"],
    )
