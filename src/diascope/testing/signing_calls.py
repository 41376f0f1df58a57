"""Samples of the requests about openings, reports and signatures."""

from __future__ import annotations

from typing import Any

from sqlalchemy import insert, select

from diascope.serve.database import tables
from diascope.serve.identities import Identity
from diascope.serve.reporting.signing import sign
from diascope.testing.calls import SAMPLES, Call, a_study, sample
from diascope.testing.web import Browser, Site

SECTIONS = [{"name": "findings", "text": "nodule: absent\nno more"}, {"name": "impression", "text": "未见结节。"}]
"""Of a signed report."""
CT = "1.2.840.10008.5.1.4.1.1.2"
WHO = Identity(
    name="Zyxwolf^Quentin=杜^乔", number="PHI-4711", issuer="Hospital", birth_date="19700102", sex="F", accession="A1",
    study_number="S1", referring="Bee^Ada",
)  # fmt: skip


def a_signature(site: Site, project: str, reader: str = "nobody", study: str = "") -> str:
    """The id of a signed report of a study without results."""
    uid = study or a_study(site, project)

    def work(connection: Any) -> str:
        row = connection.execute(select(tables.studies.c.id).where(tables.studies.c.uid == uid)).scalar_one()
        said = {"language": "en", "sections": SECTIONS, "readings": []}
        return sign(connection, row, reader, site.service.clock(), said)

    return site.service.database.change(work)


@sample("POST", "/api/v1/studies/{study}/openings")
def _open(site: Site, project: str, who: Browser) -> Call:
    return Call(f"/studies/{a_study(site, project)}/openings", {"still": False})


@sample("GET", "/api/v1/studies/{study}/report")
def _draft(site: Site, project: str, who: Browser) -> Call:
    return Call(f"/studies/{a_study(site, project)}/report", query={"language": "zh-CN"})


@sample("POST", "/api/v1/studies/{study}/signatures")
def _sign(site: Site, project: str, who: Browser) -> Call:
    body = {"language": "en", "sections": SECTIONS, "readings": []}
    return Call(f"/studies/{a_study(site, project)}/signatures", body)


@sample("GET", "/api/v1/studies/{study}/signatures")
def _list(site: Site, project: str, who: Browser) -> Call:
    study = a_study(site, project)
    a_signature(site, project, study=study)
    return Call(f"/studies/{study}/signatures")


def an_exportable(site: Site, project: str) -> str:
    """The id of a signed report of a study that has an identity and an image."""
    uid = a_study(site, project)
    site.service.identities.keep(uid, WHO)

    def work(connection: Any) -> None:
        of = select(tables.series.c.id).where(tables.series.c.uid == f"{uid}.1")
        values = {"uid": f"{uid}.1.1", "sop_class": CT, "syntax": "1.2.840.10008.1.2.1", "attributes": {}, "size": 1}
        values |= {"sha256": "", "key": uid, "received": 0.0, "series_id": connection.execute(of).scalar_one()}
        connection.execute(insert(tables.instances).values(**values))

    site.service.database.change(work)
    return a_signature(site, project, study=uid)


def _exported(kind: str) -> None:
    SAMPLES["GET", f"/api/v1/signatures/{{signature}}/{kind}"] = lambda site, project, who: Call(
        f"/signatures/{an_exportable(site, project)}/{kind}"
    )


for each in ("pdf", "sr", "fhir"):
    _exported(each)


@sample("GET", "/api/v1/signatures/{signature}")
def _read(site: Site, project: str, who: Browser) -> Call:
    return Call(f"/signatures/{a_signature(site, project)}")
