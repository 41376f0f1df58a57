"""Modality worklist: which procedures a PACS or RIS has scheduled (C-FIND, PS3.4 annex K)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from diascope.core.errors import BadUsage
from diascope.serve.audit import Event
from diascope.serve.dimse.contexts import WORKLIST
from diascope.serve.dimse.identifiers import Item, text
from diascope.serve.dimse.peers import Peer
from diascope.serve.dimse.sending import found
from diascope.serve.identities import Identity
from diascope.serve.service import Service


@dataclass(frozen=True)
class Scheduled:
    """One scheduled procedure step.

    Args:
        identity: Whose. For those who may see it.
        study_uid: UID that the study will have.
        modality: Of the step.
        date: Start, `YYYYMMDD`.
        time: Start, `HHMMSS`.
        station: AE title of the modality.
        description: Of the step.
        procedure: Of the requested procedure.
    """

    identity: Identity
    study_uid: str
    modality: str
    date: str
    time: str
    station: str
    description: str
    procedure: str


def scheduled(
    service: Service, peer: Peer, by: str, *, date: str = "", modality: str = "", station: str = ""
) -> list[Scheduled]:
    """Ask for the worklist.

    Args:
        service: The service.
        peer: A peer that has the right `worklist`.
        by: Who asks, as the audit trail names them.
        date: A day `YYYYMMDD` or a range; empty is any.
        modality: CT, MR, …; empty is any.
        station: AE title of the modality; empty is any.

    Raises:
        BadUsage: When the peer may not be asked.
        Unavailable: When it can't be asked, or fails.
        UnreadableFile: When an answer can't be parsed.
    """
    if "worklist" not in peer.rights:
        raise BadUsage(f"the peer {peer.name} has no right worklist", todo="Add it to its rights")
    step = {
        "Modality": modality,
        "ScheduledStationAETitle": station,
        "ScheduledProcedureStepStartDate": date,
        "ScheduledProcedureStepStartTime": "",
        "ScheduledProcedureStepDescription": "",
        "ScheduledProcedureStepID": "",
    }
    keys: dict[str, Any] = {
        "PatientName": "",
        "PatientID": "",
        "IssuerOfPatientID": "",
        "PatientBirthDate": "",
        "PatientSex": "",
        "AccessionNumber": "",
        "ReferringPhysicianName": "",
        "StudyInstanceUID": "",
        "RequestedProcedureID": "",
        "RequestedProcedureDescription": "",
        "ScheduledProcedureStepSequence": [step],
    }
    asked = {"of": peer.name, "worklist": True}
    service.audit.tell(Event("study.queried", by, project=peer.project, detail=asked))
    return [_scheduled(item) for item in found(service, peer, WORKLIST, keys)]


def _scheduled(item: Item) -> Scheduled:
    steps = item.get("ScheduledProcedureStepSequence", ())
    first = steps[0] if isinstance(steps, list) and steps else {}
    return Scheduled(
        identity=Identity(
            name=text(item, "PatientName"),
            number=text(item, "PatientID"),
            issuer=text(item, "IssuerOfPatientID"),
            birth_date=text(item, "PatientBirthDate"),
            sex=text(item, "PatientSex"),
            accession=text(item, "AccessionNumber"),
            referring=text(item, "ReferringPhysicianName"),
        ),
        study_uid=text(item, "StudyInstanceUID"),
        modality=text(first, "Modality"),
        date=text(first, "ScheduledProcedureStepStartDate"),
        time=text(first, "ScheduledProcedureStepStartTime"),
        station=text(first, "ScheduledStationAETitle"),
        description=text(first, "ScheduledProcedureStepDescription"),
        procedure=text(item, "RequestedProcedureDescription"),
    )
