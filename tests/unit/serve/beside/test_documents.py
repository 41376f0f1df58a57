"""Texts: kept in the archive as data, read by whoever may, and marked where the very same words stand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from diascope.core.errors import BadUsage, DataRefused
from diascope.formats.dicomio.srreading import words_of
from diascope.serve.beside.documents import as_kept
from diascope.serve.database import tables
from diascope.serve.database.beside_tables import documents, marks
from diascope.serve.incoming.deleting import delete_study
from diascope.serve.incoming.sweeping import sweep
from diascope.serve.reading.served import withdraw
from diascope.testing.beside_calls import MARKER, TEXT, a_document, a_marker, a_report
from diascope.testing.calls import a_study
from diascope.testing.objects import uids
from diascope.testing.reading import rows_of, work_off
from diascope.testing.service import events
from diascope.testing.viewing_calls import received
from diascope.testing.web import OTHER, OWN, Browser, Site, a_site

SECRET = "Zyxwolf Quentin"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return a_site(tmp_path)


def brought(site: Site, study: str, text: str = TEXT, **more: Any) -> Any:
    return site.someone("steward").post(f"/studies/{study}/documents", json={"text": text, **more})


def marked(who: Browser, study: str, document: str) -> dict[str, list[tuple[str, str]]]:
    """Release to label and words of each span."""
    whole = who.get(f"/studies/{study}/documents/{document}").json()
    text = whole["text"]
    return {
        one["release"]: [(span["label"], text[span["start"] : span["stop"]]) for span in one["spans"]]
        for one in whole["marks"]
    }


@pytest.mark.parametrize("sealed", [False, True])
def test_a_text_lies_in_the_archive_and_nowhere_else(tmp_path: Path, sealed: bool) -> None:
    site = a_site(tmp_path, encrypt=sealed)
    study = a_study(site, OWN)
    made = brought(site, study, f"  {SECRET}\r\nno nodule\r", kind="history", written="2026-05-01T08:00:00Z")
    assert made.status_code == 201
    (row,) = rows_of(site.service, documents)
    assert site.service.archive.read(row.key, row.sha256).decode() == f"{SECRET}\nno nodule"
    found = site.someone("reader").get(f"/studies/{study}/documents/{row.id}").json()
    assert (found["text"], found["kind"], found["language"]) == (f"{SECRET}\nno nodule", "history", "en")
    assert SECRET not in made.text + str(rows_of(site.service, documents)) + str(events(site.service))
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert (SECRET.encode() in written) is not sealed
    assert [one["detail"]["document"] for one in events(site.service, "document.read")] == [row.id]


@pytest.mark.parametrize("text", ["", " \n ", "x" * 200_001, "a\u0000b", "a\u001bb", "a\u0085b"])
def test_what_is_no_text_is_refused(site: Site, text: str) -> None:
    study = a_study(site, OWN)
    assert brought(site, study, text).status_code == 400
    assert rows_of(site.service, documents) == []
    assert list(site.service.archive.keys()) == []


def test_half_characters_are_refused() -> None:
    with pytest.raises(BadUsage):
        as_kept("a\ud800")


def test_it_is_not_swept_and_goes_with_its_study(site: Site) -> None:
    one, other = a_study(site, OWN), a_study(site, OWN)
    for study in (one, other):
        a_document(site, study)
    if site.service.database.is_sqlite:
        site.service.archive.put(b"nobody's")
        assert sweep(site.service) == 1
    assert len(list(site.service.archive.keys())) == 2
    assert len(delete_study(site.service, one, "user:ada").keys) == 1
    assert len(list(site.service.archive.keys())) == 1
    assert len(rows_of(site.service, documents)) == 1


def test_whoever_may_not_read_texts_does_not(site: Site) -> None:
    study, hidden = a_study(site, OWN), a_study(site, OTHER)
    document, other = a_document(site, study), a_document(site, hidden)
    assert site.someone("researcher").get(f"/studies/{study}/documents/{document}").status_code == 403
    reader = site.someone("reader")
    assert reader.get(f"/studies/{study}/documents").json()["items"][0]["id"] == document
    assert reader.get(f"/studies/{hidden}/documents/{other}").status_code == 404
    assert reader.get(f"/studies/{study}/documents/{other}").status_code == 404, "by the address of another study"
    assert site.someone("researcher").post(f"/studies/{study}/documents", json={"text": "x"}).status_code == 403


def test_a_text_that_arrives_is_marked_by_every_release_that_reads_its_language(site: Site) -> None:
    a_marker(site.service)
    a_marker(site.service, "german@1", "de")
    a_marker(site.service, "candidate@1", signed_by=None)
    a_marker(site.service, "chinese@1", "zh")
    study = a_study(site, OWN)
    document = brought(site, study).json()["id"]
    assert work_off(site.service) == 1
    right = [("finding", "nodule"), ("place", "left lung"), ("place", "左肺"), ("finding", "结节")]
    assert marked(site.someone("reader"), study, document) == {MARKER: right}
    chinese = brought(site, study, "左肺见结节。").json()["id"]
    work_off(site.service)
    both = [("place", "左肺"), ("finding", "结节")]
    assert marked(site.someone("reader"), study, chinese) == {"chinese@1": both, MARKER: both}
    (row, *_) = rows_of(site.service, marks, marks.c.document_id == document)
    assert set(row.spans[0]) == {"label", "start", "stop", "probability"}
    assert "nodule" not in str(row) + str(events(site.service)) + str(rows_of(site.service, tables.jobs))


def test_spans_lie_on_the_words_behind_characters_that_take_two_units(site: Site) -> None:
    """Code points are counted, not bytes and not UTF-16."""
    a_marker(site.service)
    study = a_study(site, OWN)
    document = brought(site, study, "\ufeff no 🫁\r\n\r\n  𠀀 nodule in the left lung\r\n").json()["id"]
    work_off(site.service)
    found = marked(site.someone("reader"), study, document)[MARKER]
    assert ("finding", "nodule") in found
    assert ("place", "left lung") in found


def test_what_a_release_refuses_is_not_marked_and_says_why(site: Site) -> None:
    """G2: not marked is not that nothing was found."""
    a_marker(site.service)
    study = a_study(site, OWN)
    document = brought(site, study, "Безболезненное образование левого лёгкого").json()["id"]
    work_off(site.service)
    (mark,) = site.someone("reader").get(f"/studies/{study}/documents/{document}").json()["marks"]
    assert (mark["state"], mark["spans"]) == ("unavailable", [])
    assert "characters were not in training" in mark["reason"]


def test_a_release_that_was_withdrawn_meanwhile_marks_nothing_and_may_be_asked_again(site: Site) -> None:
    a_marker(site.service)
    study = a_study(site, OWN)
    document = brought(site, study).json()["id"]
    change = site.service.database.change
    change(lambda connection: withdraw(connection, MARKER, "too many errors", "ada", 1.0))
    work_off(site.service)
    who, address = site.someone("steward"), f"/studies/{study}/documents/{document}"
    (mark,) = who.get(address).json()["marks"]
    assert mark["reason"] == f"{MARKER} was withdrawn: too many errors"
    assert who.post(f"{address}/marks", json={"release": MARKER}).status_code == 404
    again = update(tables.served).values(state="in service")
    change(lambda connection: connection.execute(again))
    site.clock.forward(1)
    asked = [who.post(f"{address}/marks", json={"release": MARKER}) for _ in range(2)]
    assert [one.status_code for one in asked] == [202, 202]
    assert asked[0].json()["id"] == asked[1].json()["id"], "one job while it is under way"
    work_off(site.service)
    assert len(marked(who, study, document)[MARKER]) == 4
    assert len(rows_of(site.service, marks)) == 1


def test_a_release_of_another_task_marks_nothing(site: Site) -> None:
    study = a_study(site, OWN)
    document = a_document(site, study)
    who = site.someone("steward")
    answer = who.post(f"/studies/{study}/documents/{document}/marks", json={"release": "organs@1"})
    assert answer.status_code == 404


def test_a_text_that_was_deleted_meanwhile_leaves_nothing(site: Site) -> None:
    a_marker(site.service)
    study = a_study(site, OWN)
    brought(site, study)
    delete_study(site.service, study, "user:ada")
    work_off(site.service)
    assert rows_of(site.service, marks) == []
    (job,) = rows_of(site.service, tables.jobs)
    assert (job.state, job.result["skipped"]) == ("done", "the text was deleted")


def test_a_dicom_report_is_read(site: Site) -> None:
    received(site, [a_report(1, "No nodule.\r\nNext line.")], OWN)
    study, _, instance = uids(1, 9, 1)
    answer = site.someone("reader").get(f"/studies/{study}/instances/{instance}/text")
    assert answer.json() == {
        "study": study, "instance": instance, "title": "Basic Text SR", "complete": "COMPLETE",
        "verified": "UNVERIFIED",
        "text": "Radiology Report\n\nFindings\nFinding: No nodule.\nNext line.\nConclusion: Normal\n"
                "Diameter: 8 mm\nObserver: Bee Ada",
    }  # fmt: skip
    assert [one["detail"]["instance"] for one in events(site.service, "document.read")] == [instance]
    assert site.someone("researcher").get(f"/studies/{study}/instances/{instance}/text").status_code == 403
    assert site.someone("reader").get(f"/studies/{study}/instances/1.2.3/text").status_code == 404


def test_a_report_that_this_service_wrote_is_no_text_of_the_study(site: Site) -> None:
    received(site, [a_report(2)], OWN)
    study, _, instance = uids(2, 9, 1)
    made = update(tables.series).values(made=True)
    site.service.database.change(lambda connection: connection.execute(made))
    assert site.someone("reader").get(f"/studies/{study}/instances/{instance}/text").status_code == 404


def a_tree(depth: int) -> dict[str, Any]:
    inside = {} if depth == 0 else {"0040A730": {"vr": "SQ", "Value": [a_tree(depth - 1)]}}
    text = {"0040A040": {"vr": "CS", "Value": ["TEXT"]}, "0040A160": {"vr": "UT", "Value": ["word"]}}
    return {**text, **inside}


def test_a_report_is_bounded() -> None:
    assert words_of(a_tree(3)) == "word\nword\nword\nword"
    with pytest.raises(DataRefused, match="too deep"):
        words_of(a_tree(40))
    wide = {"0040A730": {"vr": "SQ", "Value": [a_tree(0)] * 5001}}
    with pytest.raises(DataRefused, match="too many parts"):
        words_of(wide)
    with pytest.raises(DataRefused, match="no words"):
        words_of({"0040A730": {"vr": "SQ", "Value": [{}, None, 7]}})


def test_a_moved_study_takes_its_texts_along(site: Site) -> None:
    study = a_study(site, OWN)
    document = a_document(site, study)
    moved = update(tables.studies).where(tables.studies.c.uid == study).values(project_id=OTHER)
    site.service.database.change(lambda connection: connection.execute(moved))
    assert site.someone("reader").get(f"/studies/{study}/documents/{document}").status_code == 404
