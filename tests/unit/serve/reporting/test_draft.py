"""The draft of a report tells what readers decided, in two languages, and never a negative where nothing is known."""

from __future__ import annotations

import json
import re
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select, update

from diascope.core.finding import Finding
from diascope.core.result import VERDICTS
from diascope.serve.database import tables
from diascope.serve.reporting.wording import corrected, said_of
from diascope.serve.room.words import words
from diascope.testing.calls import row
from diascope.testing.results import ABSTAINED, SAID
from diascope.testing.service import events
from diascope.testing.web import OTHER, OWN, Browser, Site, a_site
from diascope.testing.work_calls import a_result

LANGUAGES = ("en", "zh-CN")


def a_case(folder: Path, *said: Finding, **more: Any) -> tuple[Site, Browser, str, str]:
    """A site, a reader, a result that says this, and its study."""
    site = a_site(folder)
    findings = {"findings": [one.to_json() for one in said], "signed_by": "Dr. Test"}
    result = a_result(site, OWN, findings=findings, **more)
    query = select(tables.studies.c.uid).join(tables.results, tables.results.c.study_id == tables.studies.c.id)
    with site.service.database.reading() as connection:
        study = connection.execute(query.where(tables.results.c.id == result)).scalar_one()
    return site, site.someone("reader", display="Li^Wei"), result, study


def read(site: Site, result: str, verdict: str, reader: str = "nobody", **more: Any) -> str:
    """A reading in the table, later than those before."""
    site.clock.forward(60)
    made = f"reading{site.clock():.0f}"
    values = {"result_id": result, "reader": reader, "verdict": verdict, "shown": {}, "at": site.clock()}
    row(site, tables.readings, id=made, **{**values, **more})
    return made


def draft(who: Browser, study: str, language: str = "en") -> tuple[dict[str, Any], dict[str, str]]:
    """The answer, and the text of each section."""
    answer = who.get(f"/studies/{study}/report", params={"language": language})
    assert answer.status_code == 200, answer.text
    return answer.json(), {one["name"]: one["text"] for one in answer.json()["sections"]}


def test_what_was_accepted_is_told_with_its_numbers(tmp_path: Path) -> None:
    said = (*SAID["boxes"], *SAID["number"], *SAID["curve"], ABSTAINED)
    site, who, result, study = a_case(tmp_path, *said)
    reading = read(site, result, "accept", who.user)
    whole, text = draft(who, study)
    assert (whole["unanswered"], whole["readings"], whole["signature"]) == ([], [reading], None)
    lines = text["findings"].split("\n")
    assert lines[0] == (
        "nodule: present; calibrated probability 90 %; width 8.8 mm; height 2.1 mm; depth 7.5 mm; slices 2 to 4;"
        " centre 14.2, -6.2, 14.0 mm (x, y, z; LPS)"
    )
    assert lines[1] == "cyst: absent"
    assert lines[2] == "age: value 71.5 years (interval 60 to 83)"
    assert lines[3] == (
        "death: risk_until_5 0.21 (interval 0.1 to 0.35); median_survival: not available, because not reached"
    )
    assert lines[4] == "effusion: not available, because too few cases: 3"
    assert text["rejected"] == "None"
    assert text["impression"].split("\n") == [
        "Present: nodule (90 %).",
        "Measured: age 71.5 years, death 0.21.",
        "Assessed and not present: cyst.",
        "Not available: effusion.",
    ]
    assert "Read by lung@1, a signed release. Operating point: probability >= 0.31" in text["method"]
    assert "Reviewed by Li Wei on 2027-01-15 08:01 UTC: accepted." in text["method"]
    assert text["method"].endswith("Not a medical device.")
    told = [(one["result"], one["finding"]) for one in whole["sections"][2]["lines"]]
    assert told[0] == (result, "nodule")


def test_an_amendment_stands_beside_what_the_release_said(tmp_path: Path) -> None:
    site, who, result, study = a_case(tmp_path, *SAID["boxes"], *SAID["number"])
    amended = {
        "nodule": {"status": "absent"},
        "cyst": {"status": "present", "boxes": [{"start": [1, 2, 3], "stop": [4, 5, 6]}], "drawing": "d1"},
        "age": {"value": 65.25, "unit": "years"},
    }
    added = [{"concept": "rib fracture", "place": {"start": [1, 2, 3], "stop": [4, 5, 6]}, "comment": "left"}]
    read(site, result, "amend", who.user, amended=amended, added=added)
    _, text = draft(who, study)
    lines = text["findings"].split("\n")
    assert lines[0].startswith("nodule: absent (corrected by the reader; the release said: present; calibrated")
    assert lines[1] == (
        "cyst: present; outline drawn anew by the reader; place marked anew by the reader: [1, 2, 3] to [4, 5, 6]"
        " (corrected by the reader; the release said: absent)"
    )
    assert lines[2].startswith("age: 65.25 years (corrected by the reader; the release said: value 71.5 years")
    assert lines[3] == (
        "rib fracture: present; [1, 2, 3] to [4, 5, 6]; left (found by the reader, not reported by lung@1)"
    )
    assert text["impression"].split("\n") == [
        "Present: cyst, rib fracture.",
        "Measured: age 65.25 years.",
        "Assessed and not present: nodule.",
    ]


def test_what_was_rejected_is_no_finding_and_what_is_undecided_is_no_negative(tmp_path: Path) -> None:
    site, who, result, study = a_case(tmp_path, *SAID["boxes"])
    read(site, result, "reject", who.user, reason="wrong_place")
    _, text = draft(who, study)
    assert text["findings"] == "No result was accepted or amended"
    assert text["rejected"].startswith("lung@1: nodule: present;")
    assert text["rejected"].endswith(". Rejected: wrong place")
    assert "nodule" not in text["impression"]
    assert "cyst" not in text["findings"] + text["impression"]
    read(site, result, "unsure", who.user)
    _, text = draft(who, study)
    assert text["findings"].split("\n")[1] == "cyst: undecided, the reader can't tell from these images"
    assert text["impression"] == "Undecided: nodule, cyst."
    assert text["rejected"] == "None"
    read(site, result, "reject", who.user, reason="")
    assert draft(who, study)[1]["rejected"].endswith("no reason was given")


def test_what_is_not_available_says_why_and_needs_no_reading(tmp_path: Path) -> None:
    _, who, _, study = a_case(tmp_path, state="unavailable", reason="the series is not a CT")
    whole, text = draft(who, study)
    assert whole["unanswered"] == []
    assert text["findings"] == "lung@1: not available, because the series is not a CT"
    assert text["impression"] == "Not available: lung@1."
    assert draft(who, study, "zh-CN")[1]["impression"] == "无法给出：lung@1。"


def test_only_the_newest_reading_of_a_result_that_counts_is_told(tmp_path: Path) -> None:
    site, who, result, study = a_case(tmp_path, *SAID["boxes"])
    assert draft(who, study)[0]["unanswered"] == [{"result": result, "series": f"{study}.1", "release": "lung@1"}]
    assert draft(who, study)[1]["findings"] == "No result was accepted or amended"
    assert draft(who, study)[1]["impression"] == "Nothing was assessed."
    assert "Not reviewed." in draft(who, study)[1]["method"]
    read(site, result, "reject", who.user, reason="other")
    last = read(site, result, "accept", who.user)
    assert draft(who, study)[0]["readings"] == [last]
    gone = update(tables.results).where(tables.results.c.id == result).values(superseded=site.clock())
    site.service.database.change(lambda connection: connection.execute(gone))
    whole, text = draft(who, study)
    assert (whole["unanswered"], whole["readings"]) == ([], [])
    assert text["method"] == "No release read this study.\nNot a medical device."


def test_the_examination_and_the_earlier_one_of_the_same_patient(tmp_path: Path) -> None:
    site, who, _, study = a_case(tmp_path)
    _, text = draft(who, study)
    assert text["examination"] == "Modality: CT"
    assert text["compared_with"] == "No earlier examination of this patient is known here"
    set_study(site, study, date="20260501", description="CT Thorax", patient="p1")
    set_series(site, study, body_part="CHEST")
    an_earlier(site, "20250101", patient="p1")
    an_earlier(site, "20251231", patient="p1")
    an_earlier(site, "20260502", patient="p1")
    an_earlier(site, "20260430", patient="p2")
    an_earlier(site, "20260429", patient="p1", project_id=OTHER)
    an_earlier(site, "", patient="p1")
    _, text = draft(who, study)
    assert text["examination"] == "Modality: CT\nBody part: CHEST\nDescription: CT Thorax\nDate: 2026-05-01"
    assert text["compared_with"] == "Examination of 2025-12-31: CT, earlier"
    assert draft(who, study, "zh-CN")[1]["compared_with"] == "2025-12-31 的检查：CT、earlier"


def set_study(site: Site, study: str, **values: Any) -> None:
    changed = update(tables.studies).where(tables.studies.c.uid == study).values(**values)
    site.service.database.change(lambda connection: connection.execute(changed))


def set_series(site: Site, study: str, **values: Any) -> None:
    changed = update(tables.series).where(tables.series.c.uid == f"{study}.1").values(**values)
    site.service.database.change(lambda connection: connection.execute(changed))


def an_earlier(site: Site, date: str, **values: Any) -> None:
    now, uid = site.clock(), f"1.9.{len(events(site.service))}.{date or 0}.{values.get('project_id') == OTHER:d}"
    plain = {"uid": uid, "project_id": OWN, "date": date, "description": "earlier", "attributes": {}}

    def work(connection: Any) -> None:
        made = insert(tables.studies).values(**{**plain, "created": now, "changed": now, **values})
        study = connection.execute(made.returning(tables.studies.c.id)).scalar_one()
        of = {"study_id": study, "uid": f"{uid}.1", "modality": "CT", "attributes": {}, "arrived": now}
        connection.execute(insert(tables.series).values(**of))

    site.service.database.change(work)


@pytest.mark.parametrize("kind", sorted(SAID))
@pytest.mark.parametrize("verdict", sorted(VERDICTS))
def test_every_task_and_verdict_is_told_in_both_languages(tmp_path: Path, kind: str, verdict: str) -> None:
    site, who, result, study = a_case(tmp_path, *SAID[kind], ABSTAINED)
    read(site, result, verdict, who.user, reason="poor_image" if verdict == "reject" else "")
    for language in LANGUAGES:
        _, text = draft(who, study, language)
        assert all(text.values())
        if verdict == "accept":
            assert text["findings"].count("\n") == len(SAID[kind])
    assert "非医疗器械" in text["method"]
    assert not re.search(r"[{}]", "".join(text.values()).replace("{pixels}", ""))


def test_older_corrections_are_told_as_they_were_written() -> None:
    english = words("en")
    assert corrected("4 mm, not 6", english) == "4 mm, not 6"
    assert corrected({"side": "left"}, english) == 'side: "left"'
    assert corrected(7, english) == "7"
    nowhere = Finding(concept="x", status="present")
    assert said_of(nowhere, english) == "present"
    assert corrected({"drawing": "d"}, english, nowhere) == "present; outline drawn anew by the reader"


def test_the_draft_is_audited_and_hidden_from_others(tmp_path: Path) -> None:
    site, who, _, study = a_case(tmp_path)
    draft(who, study)
    assert [one["detail"] for one in events(site.service, "study.viewed")] == [{"part": "report"}]
    assert who.get(f"/studies/{study}/report", params={"language": "de"}).status_code == 400
    assert site.someone("reader", places=(OTHER,)).get(f"/studies/{study}/report").status_code == 404


def test_both_catalogues_say_the_same_with_the_same_blanks() -> None:
    folder = files("diascope.serve.room").joinpath("catalogue")
    english, chinese = (json.loads(folder.joinpath(f"report.{one}.json").read_text("utf-8")) for one in LANGUAGES)
    assert english.keys() == chinese.keys()
    for key, said in english.items():
        assert key.startswith("report.")
        assert sorted(re.findall(r"{\w+}", said)) == sorted(re.findall(r"{\w+}", chinese[key])), key


def images(site: Site, result: str, *headers: tuple[str, str]) -> None:
    """Images of the series of a result: Image Laterality of each, and Laterality of the series."""
    of = select(tables.results.c.series_id).where(tables.results.c.id == result)
    with site.service.database.reading() as connection:
        series = connection.execute(of).scalar_one()
    for at, (image, whole) in enumerate(headers):
        said = {"ImageLaterality": image} if image else {}
        uid = f"1.2.3.{series}.{at}"
        row(site, tables.instances, uid=uid, series_id=series, sop_class="1", syntax="1", attributes=said, size=1,
            sha256="", key=uid, received=0.0)  # fmt: skip
        attributes = {"Laterality": whole} if whole else {}
        kept = update(tables.series).where(tables.series.c.id == series).values(attributes=attributes)
        site.service.database.change(partial(Connection.execute, statement=kept))


@pytest.mark.parametrize(
    ("headers", "side"),
    [
        ([("R", ""), ("R", "")], "right"),
        ([("", "L"), ("", "L")], "left"),
        ([("L", "L")], "left"),
        ([("R", ""), ("L", "")], ""),
        ([("R", ""), ("", "")], ""),
        ([("R", "L")], ""),
        ([("B", "")], ""),
        ([("", "")], ""),
        ([], ""),
    ],
)
def test_a_side_is_told_only_where_the_headers_of_all_images_say_it(tmp_path: Path, headers: Any, side: str) -> None:
    site, who, result, study = a_case(tmp_path, *SAID["number"])
    images(site, result, *headers)
    read(site, result, "accept", who.user)
    _, text = draft(who, study)
    told = re.findall("on the (left|right), as the headers of the images say", text["findings"])
    assert told == ([side] if side else [])
    _, chinese = draft(who, study, "zh-CN")
    assert ("（据图像头信息）" in chinese["findings"]) == bool(side)


def test_what_is_absent_has_no_side(tmp_path: Path) -> None:
    site, who, result, study = a_case(tmp_path, *SAID["number"])
    images(site, result, ("R", ""))
    (name,) = {one.concept for one in SAID["number"]}
    read(site, result, "amend", who.user, amended={name: {"status": "absent"}})
    _, text = draft(who, study)
    assert "on the right" not in text["findings"]
