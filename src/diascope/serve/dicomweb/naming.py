"""Identities at the border: who may see them gets them, anybody else the pseudonym. Whoever calls it audits it."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import RowMapping

from diascope.serve.access.matrix import Caller, decide
from diascope.serve.identities import Identity
from diascope.serve.service import Service

KEYWORDS = {
    "name": "PatientName",
    "number": "PatientID",
    "birth_date": "PatientBirthDate",
    "sex": "PatientSex",
    "accession": "AccessionNumber",
    "study_number": "StudyID",
    "referring": "ReferringPhysicianName",
}
"""Part of an identity to the keyword that answers carry always."""

SELDOM = {"issuer": "IssuerOfPatientID", "other_numbers": "OtherPatientIDs"}
"""The same of those that they carry where there is something."""


def named(
    service: Service, caller: Caller, rows: Iterable[RowMapping]
) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """Attributes that say whose studies these are.

    Args:
        service: That is asked.
        caller: Who asks.
        rows: With `study_uid`, `project_id` and `patient`.

    Returns:
        Study UID to keyword to value; and studies whose identity is among them, each with its project.
    """
    known = {row["study_uid"]: (row["project_id"], row["patient"]) for row in rows}
    projects = {project for project, _ in known.values()}
    seen = {project for project in projects if decide("identities.read", caller, project).allowed}
    shown = {uid: project for uid, (project, _) in known.items() if project in seen}
    identities = service.identities.of(list(shown)) if shown else {}
    return {uid: _attributes(patient, identities.get(uid)) for uid, (_, patient) in known.items()}, shown


def _attributes(pseudonym: str, identity: Identity | None) -> dict[str, str]:
    if identity is None:
        return {**dict.fromkeys(KEYWORDS.values(), ""), "PatientName": pseudonym, "PatientID": pseudonym}
    found = {keyword: getattr(identity, part) for part, keyword in KEYWORDS.items()}
    return found | {keyword: getattr(identity, part) for part, keyword in SELDOM.items() if getattr(identity, part)}
