"""Jobs `echo` and `query` over DICOM's own protocol."""

from __future__ import annotations

from collections.abc import Mapping

from diascope.serve.dimse import sending
from diascope.serve.dimse.delivering import node_of
from diascope.serve.dimse.identifiers import text
from diascope.serve.outgoing.parcel import Peer
from diascope.serve.service import Service

KEYWORDS = {
    "patient_name": "PatientName",
    "patient_id": "PatientID",
    "accession_number": "AccessionNumber",
    "study_date": "StudyDate",
    "modality": "ModalitiesInStudy",
    "study": "StudyInstanceUID",
}
"""What is searched for, as the API and as DICOM call it; all are asked for in the answers."""

SHOWN = (
    *KEYWORDS.values(),
    "PatientBirthDate",
    "PatientSex",
    "StudyTime",
    "StudyDescription",
    "NumberOfStudyRelatedSeries",
)


def echo(service: Service, peer: Peer) -> dict[str, bool]:
    """Ask whether a node answers.

    Raises:
        DataRefused: When there is none any more.
        Unavailable: When it does not answer, or does not want us; says which.
    """
    sending.echo(service, node_of(service, peer))
    return {"answers": True}


def query(service: Service, peer: Peer, keys: Mapping[str, str], most: int, by: str) -> list[dict[str, str]]:
    """Studies of a PACS (C-FIND, study root).

    Args:
        service: The service.
        peer: The PACS.
        keys: What is searched for, of `KEYWORDS`.
        most: How many are told.
        by: Who asked, as the audit trail names them.

    Raises:
        DataRefused: When there is no such node any more.
        Unavailable: When it can't be asked, or fails.
        UnreadableFile: When an answer can't be parsed.
    """
    wanted = dict.fromkeys(SHOWN, "") | {KEYWORDS[key]: value for key, value in keys.items()}
    found = sending.query(service, node_of(service, peer), {"QueryRetrieveLevel": "STUDY", **wanted}, by)
    return [{keyword: value for keyword in SHOWN if (value := text(one, keyword))} for one in found[:most]]
