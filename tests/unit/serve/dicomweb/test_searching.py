"""QIDO-RS through the application."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from diascope.serve.database.tables import audit
from diascope.testing.objects import an_object, uids
from diascope.testing.serving import STOW_TYPE, stow_body
from diascope.testing.web import OTHER, Browser, Site, a_site

ROOT = "/dicom-web"
STUDY, SERIES, INSTANCE = "0020000D", "0020000E", "00080018"


def a_filled_site(folder: Path) -> Site:
    """Four studies of three patients: a CT of two series, two MR, and one of the other project."""
    site = a_site(folder)
    own = [an_object(1, series, number, Rows=None if series == 2 else 16) for series in (1, 2) for number in (1, 2, 3)]
    own += [an_object(2, StudyDate="20260301", StudyTime="235900", Modality="MR", StudyDescription="Head 100%")]
    own += [
        an_object(3, StudyDate="20260301", StudyTime="080000", Modality="MR", PatientID="P2", PatientName="Phantom^2")
    ]
    for who, objects in (((OTHER,), [an_object(4)]), (("default",), own)):
        steward = site.someone("steward", places=who)
        answer = steward.post(f"{ROOT}/studies", content=stow_body(objects), headers={"Content-Type": STOW_TYPE})
        assert answer.status_code == 200, answer.text
    return site


def found(who: Browser, address: str) -> list[dict[str, Any]]:
    answer = who.get(f"{ROOT}/{address}")
    assert answer.status_code in (200, 204), answer.text
    results: list[dict[str, Any]] = answer.json() if answer.status_code == 200 else []
    return results


def values(results: list[dict[str, Any]], tag: str) -> list[Any]:
    return [result[tag].get("Value", [None])[0] for result in results]


def numbers(results: list[dict[str, Any]], tag: str = STUDY) -> list[int]:
    """The last component of UIDs."""
    return [int(value.split(".")[-1]) for value in values(results, tag)]


CASES = {
    "studies": [3, 2, 1],
    "studies?limit=1": [3],
    "studies?limit=1&offset=1": [2],
    "studies?offset=3": [],
    "studies?StudyDate=20260102": [1],
    "studies?00080020=20260301-": [3, 2],
    "studies?StudyDate=-20260201": [1],
    "studies?StudyDate=20260101-20260228": [1],
    "studies?StudyTime=10": [1],
    "studies?StudyTime=08-1012": [3, 1],
    "studies?ModalitiesInStudy=MR": [3, 2],
    "studies?ModalitiesInStudy=CT,MR": [3, 2, 1],
    "studies?ModalitiesInStudy=M*": [3, 2],
    "studies?StudyDescription=chest": [3, 1],
    "studies?StudyDescription=head*": [2],
    "studies?StudyDescription=*100%25": [2],
    "studies?StudyDescription=c?est": [3, 1],
    "studies?StudyDescription=c_est": [],
    "studies?PatientName=phantom*": [3, 2, 1],
    "studies?PatientName=*": [3, 2, 1],
    "studies?PatientID=P2": [3, 2],
    "studies?00100020=P1": [1],
    "studies?AccessionNumber=A3": [3],
    "studies?PatientBirthDate=19700101": [3, 2, 1],
    "studies?PatientBirthDate=19710101": [],
    f"studies?StudyInstanceUID={uids(1)[0]},{uids(3)[0]}": [3, 1],
    f"studies?0020000d={uids(1)[0]}%5C{uids(2)[0]}": [2, 1],
    f"studies?StudyInstanceUID={uids(4)[0]}": [],
    "studies?StudyDate=20260301&PatientID=P2&ModalitiesInStudy=MR&limit=5": [3, 2],
}


def test_studies_that_match(tmp_path: Path) -> None:
    """PS3.18 8.3.4: keywords and tags, lists, ranges, wildcards; newest first."""
    reader = a_filled_site(tmp_path).someone("reader")
    assert {address: numbers(found(reader, address)) for address in CASES} == CASES


def test_what_a_study_says(tmp_path: Path) -> None:
    reader = a_filled_site(tmp_path).someone("reader")
    (study,) = found(reader, "studies?StudyDate=20260102")
    assert study["00080061"] == {"vr": "CS", "Value": ["CT"]}
    assert (study["00201206"]["Value"], study["00201208"]["Value"]) == ([2], [6])
    assert study["00100010"]["Value"] == [{"Alphabetic": "Phantom^1"}]
    assert study["00081190"]["Value"] == [f"http://diascope.test/dicom-web/studies/{uids(1)[0]}"]
    assert list(study) == sorted(study)


def test_series_and_instances(tmp_path: Path) -> None:
    reader = a_filled_site(tmp_path).someone("reader")
    study, first, _ = uids(1)
    cases = {
        f"studies/{study}/series": [(1, SERIES), (2, SERIES)],
        f"studies/{study}/series?SeriesNumber=2": [(2, SERIES)],
        f"studies/{study}/instances": [(n, INSTANCE) for n in (1, 2, 3, 1, 2, 3)],
        f"studies/{study}/series/{first}/instances?InstanceNumber=2": [(2, INSTANCE)],
        f"studies/{study}/instances?SOPInstanceUID={uids(1, 2, 3)[2]}": [(3, INSTANCE)],
        "series?Modality=CT": [(1, SERIES), (2, SERIES)],
        "series?PatientID=P1&SliceThickness=1.0": [(1, SERIES), (2, SERIES)],
        "instances?Modality=CT&limit=2&offset=3": [(1, INSTANCE), (2, INSTANCE)],
        "instances?StudyDate=20260301&Rows=16": [(1, INSTANCE), (1, INSTANCE)],
        "instances?Rows=17": [],
    }
    for address, expected in cases.items():
        assert numbers(found(reader, address), expected[0][1] if expected else INSTANCE) == [n for n, _ in expected]


def test_levels_say_what_belongs_to_them(tmp_path: Path) -> None:
    """PS3.18 Tables 10.6.3-4, 10.6.3-5: study attributes where the address names no study, or where asked for."""
    reader = a_filled_site(tmp_path).someone("reader")
    study, first, _ = uids(1)
    assert "00100020" in found(reader, "series")[0]
    within = found(reader, f"studies/{study}/series")[0]
    assert ("00100020" in within, within[STUDY]["Value"], within["00201209"]["Value"]) == (False, [study], [3])
    assert "00100020" in found(reader, f"studies/{study}/series?includefield=PatientID")[0]
    instance = found(reader, f"studies/{study}/series/{first}/instances?includefield=00280030,SliceThickness")[0]
    assert (instance["00280030"]["Value"], instance["00280010"]["Value"]) == ([0.7, 0.7], [16])
    assert "00080060" not in instance
    assert "00200032" in found(reader, f"studies/{study}/instances?includefield=all")[0]


def test_pseudonyms_for_those_who_may_not_see_identities(tmp_path: Path) -> None:
    """C10: no part of an identity is answered, and none is searched."""
    site = a_filled_site(tmp_path)
    researcher = site.someone("researcher")
    answer = researcher.get(f"{ROOT}/studies?includefield=all")
    names = values(answer.json(), "00100020")
    assert all(name.startswith("patient-") for name in names)
    assert len(set(names)) == 2
    assert not any(word in answer.text for word in ("Phantom", '"P1"', "19700101", '"A1"', '"S1"'))
    assert numbers(found(researcher, f"studies?PatientID={names[-1]}")) == [1]
    assert found(researcher, "studies?PatientID=P1") == []
    for key in ("PatientName=Phantom*", "PatientBirthDate=19700101", "AccessionNumber=A1"):
        assert researcher.get(f"{ROOT}/studies?{key}").status_code == 403
    assert numbers(found(site.someone("reader"), f"studies?PatientID={names[-1]}")) == [1]


def test_other_projects_stay_unseen(tmp_path: Path) -> None:
    """C1: neither in lists nor by address; who is in both sees both in one order."""
    site = a_filled_site(tmp_path)
    reader = site.someone("reader")
    assert reader.get(f"{ROOT}/studies/{uids(4)[0]}/series").status_code == 204
    assert numbers(found(site.someone("reader", places=(OTHER,)), "studies")) == [4]
    both = site.someone("reader", places=("default", OTHER))
    assert numbers(found(both, "studies")) == [3, 2, 1, 4]
    assert [n for at in range(4) for n in numbers(found(both, f"studies?limit=1&offset={at}"))] == numbers(
        found(both, "studies")
    )
    assert found(site.someone("reader", places=()), "studies") == []
    assert site.nobody().get(f"{ROOT}/studies").status_code == 401


def test_pages_say_how_many_there_are(tmp_path: Path) -> None:
    reader = a_filled_site(tmp_path).someone("reader")
    answer = reader.get(f"{ROOT}/studies?limit=2")
    assert answer.headers["x-total-count"] == "3"
    assert answer.headers["warning"] == '299 diascope "there are 1 additional results; ask for them with offset"'
    last = reader.get(f"{ROOT}/studies?limit=2&offset=2")
    assert ("warning" in last.headers, last.headers["x-total-count"]) == (False, "3")
    assert (last.headers["content-type"], last.headers["cache-control"]) == ("application/dicom+json", "no-store")


@pytest.mark.parametrize(
    ("key", "word"),
    [
        ("fuzzymatching=true", "fuzzy"),
        ("Foo=1", "a parameter"),
        ("PatientSex=F", "PatientSex"),
        ("includefield=x", "no attribute"),
    ],
)
def test_what_is_not_done_is_said(tmp_path: Path, key: str, word: str) -> None:
    """PS3.18 8.3.4.1: ignored with a warning."""
    answer = a_filled_site(tmp_path).someone("reader").get(f"{ROOT}/studies?{key}")
    assert (len(answer.json()), answer.headers["warning"].startswith("299")) == (3, True)
    assert word in answer.headers["warning"]


def test_values_that_make_no_sense(tmp_path: Path) -> None:
    """B5: refused as the client's error, whatever they are."""
    reader = a_site(tmp_path).someone("reader")
    for key in (
        "limit=0", "limit=x", "offset=-1", "limit=99999999999", "StudyDate=1.1.2026", "StudyDate=-", "StudyTime=99x",
        "StudyInstanceUID=../x", "StudyInstanceUID=1.2%00", "StudyDescription=a%00b", "StudyDescription=" + "x" * 2000,
        "StudyDate=20260101&00080020=20260101", "&".join(f"x{n}=1" for n in range(100)),
    ):  # fmt: skip
        assert reader.get(f"{ROOT}/studies?{key}").status_code == 400, key
    assert reader.get(f"{ROOT}/series?SeriesNumber=one").status_code == 400
    assert reader.get(f"{ROOT}/studies", headers={"Accept": "application/dicom+xml"}).status_code == 406


def test_searches_are_audited_without_what_was_searched_for(tmp_path: Path) -> None:
    """D1, C10: one event a search: by which keys, how many results, whose identities were shown."""
    site = a_filled_site(tmp_path)
    found(site.someone("reader"), "studies?PatientName=Phantom^1")
    found(site.someone("researcher"), "studies?ModalitiesInStudy=MR")
    with site.service.database.reading() as connection:
        rows = connection.execute(select(audit).where(audit.c.action == "study.queried")).all()
    assert [row.detail for row in rows] == [
        {"by": ["PatientName"], "identities": [uids(1)[0]], "level": "study", "results": 1},
        {"by": ["ModalitiesInStudy"], "level": "study", "results": 2},
    ]
    assert "Phantom" not in str(rows)
