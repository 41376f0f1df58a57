"""Samples of the requests about labellings and annotations, and of their pages."""

from __future__ import annotations

import secrets
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import select, update

from diascope.serve.database import labelling_tables, tables
from diascope.serve.labelling.describing import KEPT
from diascope.serve.labelling.picturing import LENGTH, MADE_BY
from diascope.testing.calls import SAMPLES, Call, Sample, a_study, row, sample
from diascope.testing.web import ORIGIN, Browser, Site

API = "/api/v1/labellings"
LABELS = ("nodule", "effusion")


def a_labelling(site: Site, project: str, **more: Any) -> str:
    """A labelling of a project; its id.

    Args:
        site: Where.
        project: Id.
        **more: Columns to set otherwise.
    """
    made = secrets.token_hex(16)
    plain = {"name": f"labels {made}", "asks": "classes", "labels": list(LABELS), "exclusive": False, "twice": 0.0}
    values = {**plain, "id": made, "project_id": project, "by": "nobody", "created": site.service.clock(), **more}
    row(site, labelling_tables.labellings, **values)
    return str(values["id"])


def a_complete(site: Site, project: str, patient: str = "patient-1") -> tuple[str, str, int]:
    """A complete CT series without pictures: UIDs of study and series, and the id of its row."""
    study = a_study(site, project, patient)
    mine = tables.series.c.uid == f"{study}.1"
    done = update(tables.series).where(mine).values(completed=site.service.clock(), revision=1, due=None)

    def work(connection: Any) -> int:
        connection.execute(done)
        return int(connection.execute(select(tables.series.c.id).where(mine)).scalar_one())

    return study, f"{study}.1", site.service.database.change(work)


def a_descriptor(site: Site, number: int, vector: npt.NDArray[Any]) -> None:
    """What a series looks like; the vector is filled up with zeros."""
    whole = np.zeros(LENGTH)
    whole[: vector.size] = vector
    kept = (whole / max(float(np.linalg.norm(whole)), 1e-12)).astype(KEPT).tobytes()
    facts = {"series_id": number, "revision": 1, "made_by": MADE_BY, "at": site.service.clock()}
    row(site, labelling_tables.descriptors, **facts, vector=kept)


def an_annotation(site: Site, labelling: str, number: int, reader: str, answer: Any, **more: Any) -> str:
    """What a reader answered; its id. `answer` is None where the reader can't tell."""
    made = secrets.token_hex(16)
    values = {"id": made, "labelling_id": labelling, "series_id": number, "revision": 1, "reader": reader}
    values |= {"answer": answer or {}, "unsure": answer is None, "comment": "", "seconds": 5.0}
    row(site, labelling_tables.annotations, **{**values, "at": site.service.clock(), **more})
    return made


def _of(tail: str = "") -> Sample:
    def made(site: Site, project: str, who: Browser) -> Call:
        a_complete(site, project)
        return Call(f"/labellings/{a_labelling(site, project)}{tail}")

    return made


def _page(tail: str = "") -> Sample:
    return lambda site, project, who: Call(f"{ORIGIN}/labelling/{a_labelling(site, project)}{tail}")


for tail in ("", "/agreement", "/series", "/annotations", "/next"):
    SAMPLES["GET", f"{API}/{{labelling}}{tail}"] = _of(tail)
SAMPLES["POST", f"{API}/{{labelling}}/close"] = _of("/close")


@sample("GET", API)
def _list(site: Site, project: str, who: Browser) -> Call:
    return Call("/labellings", query={"limit": "1000"}, own=a_labelling(site, project))


@sample("POST", API)
def _make(site: Site, project: str, who: Browser) -> Call:
    name = f"labels {secrets.token_hex(8)}"
    return Call("/labellings", {"project": project, "name": name, "asks": "classes", "labels": ["nodule"]})


@sample("POST", f"{API}/{{labelling}}/annotations")
def _write(site: Site, project: str, who: Browser) -> Call:
    study, series, _ = a_complete(site, project)
    body = {"study": study, "series": series, "revision": 1, "answer": {"classes": ["nodule"]}}
    return Call(f"/labellings/{a_labelling(site, project)}/annotations", body)


SAMPLES["GET", "/labelling/{labelling}"] = _page()
SAMPLES["GET", "/labelling/{labelling}/label"] = _page("/label")


@sample("GET", "/labelling")
def _overview(site: Site, project: str, who: Browser) -> Call:
    return Call(f"{ORIGIN}/labelling", own=a_labelling(site, project))
