"""C-FIND: what fits, what is told, and to whom."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom.sop_class import PatientRootQueryRetrieveInformationModelFind as PatientRoot
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind as StudyRoot
from sqlalchemy import select

from diascope.serve.database.tables import audit
from diascope.testing.dimse import CT, EXPLICIT, Standing, a_node, asking, stored
from diascope.testing.objects import an_object, uids

CONTEXTS = ((CT, (EXPLICIT,)), (StudyRoot, (EXPLICIT,)), (PatientRoot, ("1.2.840.10008.1.2",)))


WANG = {"StudyDate": "20260101", "StudyTime": "093015", "PatientName": "Wang^Xiaoming=王^小明"}


def fill(peer: Any) -> None:
    for content in (
        an_object(1, 1, 1, StudyDate="20260101", StudyTime="093015", PatientName="Wang^Xiaoming=王^小明"),
        an_object(1, 1, 2, StudyDate="20260101", StudyTime="093015", PatientName="Wang^Xiaoming=王^小明"),
        an_object(
            1, 2, 1, StudyDate="20260101", StudyTime="093015", Modality="MR", PatientName="Wang^Xiaoming=王^小明"
        ),
        an_object(2, 1, 1, StudyDate="20260215", StudyTime="170000", StudyDescription="knee 50% [x]"),
    ):
        assert stored(peer, content) == 0


def add(asked: Dataset, keys: dict[str, str]) -> None:
    """Set keys, nonsense too."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for keyword, value in keys.items():
            setattr(asked, keyword, value or None)


def found(peer: Any, level: str, model: str = StudyRoot, **keys: str) -> list[Dataset]:
    asked = Dataset()
    asked.SpecificCharacterSet = "ISO_IR 192"
    asked.QueryRetrieveLevel = level
    add(asked, keys)
    answers = list(peer.send_c_find(asked, model))
    assert answers[-1][0].Status == 0, f"{answers[-1][0].Status:04X}"
    return [answer for status, answer in answers[:-1] if status.Status == 0xFF00]


def status(peer: Any, level: str, **keys: str) -> int:
    asked = Dataset()
    asked.QueryRetrieveLevel = level
    add(asked, keys)
    return int(list(peer.send_c_find(asked, StudyRoot))[-1][0].Status)


def studies_of(peer: Any, **keys: str) -> list[str]:
    return sorted(str(each.StudyInstanceUID) for each in found(peer, "STUDY", **{"StudyInstanceUID": "", **keys}))


def test_levels(tmp_path: Path) -> None:
    first, second = uids(1)[0], uids(2)[0]
    with a_node(tmp_path) as standing, asking(standing.port, *CONTEXTS) as peer:
        fill(peer)
        assert studies_of(peer) == [first, second]
        (study,) = found(
            peer,
            "STUDY",
            StudyInstanceUID=first,
            PatientName="",
            ModalitiesInStudy="",
            NumberOfStudyRelatedSeries="",
            NumberOfStudyRelatedInstances="",
            AccessionNumber="",
        )
        assert str(study.PatientName) == "Wang^Xiaoming=王^小明"
        assert list(study.ModalitiesInStudy) == ["CT", "MR"]
        assert (study.NumberOfStudyRelatedSeries, study.NumberOfStudyRelatedInstances) == (2, 3)
        assert study.SpecificCharacterSet == "ISO_IR 192"
        assert study.RetrieveAETitle == "DIASCOPE"
        series = found(peer, "SERIES", StudyInstanceUID=first, SeriesInstanceUID="", Modality="CT")
        assert [str(each.SeriesInstanceUID) for each in series] == [uids(1, 1)[1]]
        images = found(peer, "IMAGE", StudyInstanceUID=first, SOPInstanceUID="", InstanceNumber="", Rows="")
        assert {str(each.SOPInstanceUID) for each in images} == {uids(1, 1, 1)[2], uids(1, 1, 2)[2], uids(1, 2, 1)[2]}
        assert images[0].Rows == 16
        patients = found(peer, "PATIENT", PatientRoot, PatientID="", PatientName="")
        assert sorted(each.PatientID for each in patients) == ["P1", "P2"]


def test_matching(tmp_path: Path) -> None:
    first, second = uids(1)[0], uids(2)[0]
    with a_node(tmp_path) as standing, asking(standing.port, *CONTEXTS) as peer:
        fill(peer)
        assert studies_of(peer, StudyDate="20260101") == [first]
        assert studies_of(peer, StudyDate="20260102-") == [second]
        assert studies_of(peer, StudyDate="-20260101") == [first]
        assert studies_of(peer, StudyDate="20250101-20261231") == [first, second]
        assert studies_of(peer, StudyTime="0930") == [first]
        assert studies_of(peer, StudyTime="100000-180000") == [second]
        assert studies_of(peer, PatientName="wang*") == [first]
        assert studies_of(peer, PatientName="王*") == [first]
        assert studies_of(peer, PatientID="P?") == [first, second]
        assert studies_of(peer, PatientID="P2") == [second]
        assert studies_of(peer, AccessionNumber="A1") == [first]
        assert studies_of(peer, StudyDescription="*50% [x]") == [second]
        assert studies_of(peer, StudyDescription="knee_50*") == []
        assert studies_of(peer, ModalitiesInStudy="MR") == [first]
        assert studies_of(peer, StudyInstanceUID=f"{first}\\{second}") == [first, second]
        assert studies_of(peer, StudyDescription="*") == [first, second]


def test_without_the_right_there_are_no_identities(tmp_path: Path) -> None:
    """C4, C1: a peer without `identity` sees pseudonyms and cannot guess names by asking."""
    with a_node(tmp_path, {"store", "find"}) as standing, asking(standing.port, *CONTEXTS) as peer:
        fill(peer)
        answers = found(peer, "STUDY", PatientName="", PatientID="", PatientBirthDate="", AccessionNumber="")
        told = "".join(str(each) for each in answers)
        assert "Wang" not in told
        assert "19700101" not in told
        assert all(each.PatientID.startswith("patient-") for each in answers)
        assert not any(each.AccessionNumber for each in answers)
        (one,) = found(peer, "STUDY", PatientID=answers[0].PatientID, StudyInstanceUID="")
        assert one.PatientID == answers[0].PatientID
        assert status(peer, "STUDY", AccessionNumber="A*") == 0xA900
        assert found(peer, "STUDY", PatientName="Wang*") == []


def test_nonsense_is_refused(tmp_path: Path) -> None:
    with a_node(tmp_path) as standing, asking(standing.port, *CONTEXTS) as peer:
        assert status(peer, "PATIENT") == 0xA900
        assert status(peer, "GALAXY") == 0xA900
        assert status(peer, "STUDY", StudyDate="yesterday") == 0xA900
        assert status(peer, "SERIES", SeriesInstanceUID="1.2.*") == 0xA900
        assert status(peer, "STUDY", StudyDescription="'; DROP TABLE studies; --") == 0


def test_queries_are_told_without_values(tmp_path: Path) -> None:
    """D1, C10: each query is in the audit trail, with the keys and without what was searched for."""
    with a_node(tmp_path) as standing, asking(standing.port, *CONTEXTS) as peer:
        found(peer, "STUDY", PatientName="Canary*", PatientID="")
        (event,) = queried(standing)
        assert event["keys"] == "PatientID,PatientName,QueryRetrieveLevel,SpecificCharacterSet"
        assert "Canary" not in str(event)


@pytest.mark.parametrize("rights", [{"store"}, {"get", "identity"}])
def test_who_may_not_ask_is_not_answered(tmp_path: Path, rights: set[str]) -> None:
    with (
        a_node(tmp_path, rights) as standing,
        asking(standing.port, (StudyRoot, (EXPLICIT,)), (CT, (EXPLICIT,))) as peer,
    ):
        assert StudyRoot in [each.abstract_syntax for each in peer.rejected_contexts]


def queried(standing: Standing) -> list[dict[str, Any]]:
    with standing.service.database.reading() as connection:
        query = select(audit.c.detail).where(audit.c.action == "study.queried")
        return list(connection.execute(query).scalars())
