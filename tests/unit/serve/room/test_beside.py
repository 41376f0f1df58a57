"""The page of a study: laboratory results and texts in tabs, judged, marked and told in both languages."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path

import pytest
from sqlalchemy import insert

from diascope.serve.database.beside_tables import marks
from diascope.testing.beside_calls import MARKER, a_document, a_marker, a_report, an_observation
from diascope.testing.calls import a_study
from diascope.testing.objects import uids
from diascope.testing.reading import work_off
from diascope.testing.service import events
from diascope.testing.viewing_calls import received
from diascope.testing.web import ORIGIN, OTHER, OWN, Browser, Site, a_site

PAYLOAD = "</script><img src=x onerror=alert(1)>"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return a_site(tmp_path)


def page(who: Browser, study: str, lang: str = "en") -> str:
    who.cookies["diascope-language"] = lang
    answer = who.get(f"{ORIGIN}/studies/{study}")
    assert answer.status_code == 200
    return answer.text


def test_a_study_without_anything_beside_its_pictures_has_no_tabs(site: Site) -> None:
    shown = page(site.someone("reader"), a_study(site, OWN))
    assert 'role="tab"' not in shown
    assert 'class="said-side"' in shown


@pytest.mark.parametrize(("lang", "high", "low"), [("en", "↑ high", "↓ low"), ("zh-CN", "↑ 偏高", "↓ 偏低")])
def test_values_are_judged_in_words_and_by_a_sign(site: Site, lang: str, high: str, low: str) -> None:
    study = a_study(site, OWN)
    an_observation(site, study)
    an_observation(site, study, name="Sodium", code="2951-2", value=120, unit="mmol/L", low=135, high=145)
    an_observation(site, study, name="Potassium", code="2823-3", value=4.1, unit="mmol/L", low=3.5, high=5.1)
    shown = page(site.someone("reader"), study, lang)
    assert shown.count(high) == 1
    assert shown.count(low) == 1
    assert shown.count('class="judged high"') == 2, "in the table, and counted at the tab"
    assert "0.6 – 1.2" in shown
    assert shown.count("<svg") >= 3
    assert "style=" not in shown


def test_without_a_range_there_is_no_judgement(site: Site) -> None:
    study = a_study(site, OWN)
    an_observation(site, study, low=None, high=None, value=99)
    shown = page(site.someone("reader"), study)
    assert "none: not judged" in shown
    assert 'class="judged' not in shown
    assert 'class="bar"' not in shown


def test_results_of_other_studies_of_the_patient_are_shown_with_theirs_and_those_of_others_are_not(site: Site) -> None:
    study, earlier, hidden = a_study(site, OWN), a_study(site, OWN), a_study(site, OTHER)
    stranger = a_study(site, OWN, "patient-2")
    for number, uid in enumerate((study, earlier, hidden, stranger)):
        an_observation(site, uid, value=1000 + number, taken=float(number))
    shown = page(site.someone("reader"), study)
    assert [value in shown for value in ("1000", "1001", "1002", "1003")] == [True, True, False, False]
    assert f'href="/studies/{earlier}"' in shown
    assert "other study" in shown
    told = [one["object"] for one in events(site.service, "study.viewed") if one["detail"]["part"] == "observations"]
    assert sorted(told) == sorted([study, earlier])


def test_the_unit_is_shown_as_it_came_and_other_ranges_say_so(site: Site) -> None:
    study = a_study(site, OWN)
    an_observation(site, study, taken=2.0)
    an_observation(site, study, taken=1.0, value=1.3, high=1.5)
    an_observation(site, study, taken=1.0, value=124, unit="umol/L", low=None, high=None)
    shown = page(site.someone("reader"), study)
    assert "<small>mg/dL</small>" in shown
    assert "<small>umol/L</small>" in shown
    assert shown.count('title="LOINC 2160-0"') == 2, "what is in another unit is another row"
    assert "range 0.6 – 1.5" in shown
    assert shown.count("↑ high") == 1, "1.3 is within its own range"


def test_texts_are_listed_with_what_marked_them_and_why_not(site: Site) -> None:
    a_marker(site.service)
    a_marker(site.service, "german@1", "de")
    study = a_study(site, OWN)
    steward = site.someone("steward")
    made = steward.post(f"/studies/{study}/documents", json={"text": "nodule in the left lung", "kind": "letter"})
    work_off(site.service)
    shown = page(steward, study)
    assert f"{MARKER}: 2 places marked" in shown
    assert "german@1: not marked, because it reads another language" in shown
    assert f"/studies/{study}/documents/{made.json()['id']}" in shown
    assert "left lung" not in shown, "words are read when somebody opens them, and that is told"
    assert events(site.service, "document.read") == []


def test_a_text_that_waits_can_be_marked_by_those_who_may(site: Site) -> None:
    a_marker(site.service)
    study = a_study(site, OWN)
    a_document(site, study)
    assert f'data-release="{MARKER}"' in page(site.someone("steward"), study)
    program = site.with_token(site.user("service"), "service", ("studies.read", "documents.read"))
    shown = page(program, study)
    assert "data-release" not in shown
    assert f"{MARKER}: not marked yet" in shown


def test_a_text_says_that_no_release_marks_texts(site: Site) -> None:
    study = a_study(site, OWN)
    a_document(site, study)
    assert "Not marked, because no release that marks texts is in service." in page(site.someone("reader"), study)


def test_whoever_may_not_read_texts_sees_that_there_are_results_only(site: Site) -> None:
    study = a_study(site, OWN)
    a_document(site, study)
    an_observation(site, study)
    shown = page(site.someone("researcher"), study)
    assert 'id="tab-laboratory"' in shown
    assert 'id="tab-texts"' not in shown


def test_dicom_reports_are_listed(site: Site) -> None:
    received(site, [a_report(1)], OWN)
    study, _, instance = uids(1, 9, 1)
    shown = page(site.someone("reader"), study)
    assert "Basic Text SR" in shown
    assert f"/studies/{study}/instances/{instance}/text" in shown


def test_what_laboratories_and_releases_write_stays_text(site: Site) -> None:
    """B10: names of analytes, words, units, labels and reasons are data."""
    study = a_study(site, OWN)
    an_observation(site, study, name=PAYLOAD, value=None, said=PAYLOAD, unit="<b>", code="")
    document = a_document(site, study, PAYLOAD, by=PAYLOAD, language="<i>")
    row = {"id": "m", "document_id": document, "release": PAYLOAD, "seal": "", "state": "unavailable", "at": 0.0}
    row |= {"reason": PAYLOAD, "spans": []}
    site.service.database.change(lambda connection: connection.execute(insert(marks).values(**row)))
    shown = page(site.someone("reader"), study)
    assert "<img src=x" not in shown
    assert "<b>" not in shown
    assert "<i>" not in shown
    assert "&lt;img src=x onerror=alert(1)&gt;" in shown
    whole = site.someone("reader").get(f"/studies/{study}/documents/{document}")
    assert whole.headers["content-type"].startswith("application/json")
    assert whole.json()["text"] == PAYLOAD


def test_both_languages_say_the_same_things() -> None:
    folder = files("diascope.serve.room").joinpath("catalogue")
    english, chinese = (
        json.loads(folder.joinpath(f"beside.{lang}.json").read_text(encoding="utf-8")) for lang in ("en", "zh-CN")
    )
    assert list(english) == list(chinese)
    blanks = re.compile(r"\{\w+\}")
    assert {key: sorted(blanks.findall(text)) for key, text in english.items()} == {
        key: sorted(blanks.findall(text)) for key, text in chinese.items()
    }
