"""The page of a study: what releases say of texts and laboratory results, and what led to it only where it passed."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from diascope.serve.database import tables
from diascope.serve.database.beside_tables import statements
from diascope.testing.beside_calls import a_document
from diascope.testing.calls import a_study
from diascope.testing.reading import work_off
from diascope.testing.service import events
from diascope.testing.statement_calls import ROWS, TEXTS, UNITS, a_row_release, a_text_release, results
from diascope.testing.web import ORIGIN, OWN, Browser, Site, a_site

PAYLOAD = "</script><img src=x onerror=alert(1)>"
TEXT = "There is a small effusion, the lungs are clear."


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return a_site(tmp_path)


def page(who: Browser, study: str, lang: str = "en") -> str:
    who.cookies["diascope-language"] = lang
    answer = who.get(f"{ORIGIN}/studies/{study}")
    assert answer.status_code == 200
    return answer.text


def asked(site: Site, study: str, release: str, document: str | None = None) -> None:
    body = {"release": release, "document": document}
    assert site.someone("reader").post(f"/studies/{study}/statements", json=body).status_code == 202
    work_off(site.service)


def put(site: Site, study: str, **values: Any) -> None:
    """A statement as a release might have left it."""
    plain: dict[str, Any] = {"id": "s", "release": "x@1", "seal": "", "basis": "b", "state": "answered", "reason": ""}
    plain |= {"explainer": "columns", "attributions": [], "unexplained": "", "at": 0.0, "document_id": None}
    plain |= {"findings": {"findings": [finding()], "notes": [], "signed_by": "Dr. Test"}}

    def work(connection: Any) -> None:
        row = connection.execute(select(tables.studies.c.id).where(tables.studies.c.uid == study)).scalar_one()
        connection.execute(insert(statements).values(**{**plain, "study_id": row, **values}))

    site.service.database.change(work)


def finding(**more: Any) -> dict[str, Any]:
    sure = {"probability": {"value": 0.87, "unit": "1", "low": None, "high": None, "note": ""}}
    plain = {"concept": "anaemia", "status": "present", "reason": "", "rule": "", "measures": sure}
    return {**plain, **more}


def led(passed: bool = True, similarity: float | None = 0.1, **part: Any) -> list[dict[str, Any]]:
    parts = [{"name": "Albumin", "given": 42.0, "unit": "g/L", "value": -0.4, **part}] if passed else []
    return [{"finding": "anaemia", "similarity": similarity, "limit": 0.5, "passed": passed, "parts": parts}]


@pytest.mark.parametrize(
    ("lang", "title", "checked"),
    [("en", "What led to it", "It depends on what was learnt"), ("zh-CN", "判断依据", "依据取决于所学内容")],
)
def test_a_row_is_said_with_its_probability_and_the_columns_that_led_to_it(
    site: Site, lang: str, title: str, checked: str
) -> None:
    a_row_release(site.service)
    study = a_study(site, OWN)
    results(site, study)
    asked(site, study, ROWS)
    shown = page(site.someone("reader"), study, lang)
    assert "kidney failure" in shown
    assert re.search(r"<dd><span class=\"number\">(9\d|&gt; 99\.9|99\.\d) %", shown)
    assert title in shown
    assert checked in shown
    assert '<th scope="row">Creatinine</th>' in shown.partition(title)[2]
    assert "+1.00" in shown
    assert "style=" not in shown


@pytest.mark.parametrize(("similarity", "said"), [(0.93, "correlation 0.93, at most 0.50"), (None, "nothing that")])
def test_what_failed_its_check_is_not_shown_and_its_result_is(site: Site, similarity: float | None, said: str) -> None:
    study = a_study(site, OWN)
    results(site, study)
    put(site, study, attributions=led(passed=False, similarity=similarity))
    shown = page(site.someone("reader"), study)
    assert "87 %" in shown
    assert said in shown
    assert 'class="share"' not in shown


def test_what_speaks_against_is_told_by_a_sign_and_a_word(site: Site) -> None:
    study = a_study(site, OWN)
    results(site, study)
    put(site, study, attributions=led())
    shown = page(site.someone("reader"), study)
    assert '<span class="number">−0.40</span> against it' in shown


def test_not_available_is_said_with_the_reason_and_may_be_asked_again(site: Site) -> None:
    a_row_release(site.service)
    study = a_study(site, OWN)
    results(site, study, units=dict.fromkeys(UNITS, "other"))
    assert f'data-ask="{ROWS}"' in page(site.someone("reader"), study)
    asked(site, study, ROWS)
    shown = page(site.someone("reader"), study)
    assert "every value of its inputs is missing" in shown
    assert f'data-ask="{ROWS}"' in shown
    assert "absent" not in shown


def test_why_there_is_no_explanation_is_said(site: Site) -> None:
    study = a_study(site, OWN)
    results(site, study)
    put(site, study, unexplained="this release says where by itself")
    assert "What led to it is not available, because" in page(site.someone("reader"), study)


def test_the_words_of_a_text_are_not_on_the_page_and_their_places_are(site: Site) -> None:
    a_text_release(site.service)
    a_text_release(site.service, "german@1", "de")
    study = a_study(site, OWN)
    document = a_document(site, study, TEXT)
    asked(site, study, TEXTS, document)
    shown = page(site.someone("reader"), study)
    assert f'data-address="/studies/{study}/documents/{document}"' in shown
    assert "german@1: not asked, because it reads another language" in shown
    assert "small effusion" not in shown
    assert events(site.service, "document.read") == []
    found = re.search(r'<script type="application/json" id="statements">(.*?)</script>', shown)
    assert found
    (parts,) = next(iter(json.loads(found[1])["led"].values())).values()
    assert TEXT[parts[0]["start"] : parts[0]["stop"]] in TEXT
    assert "effusion" in [TEXT[one["start"] : one["stop"]] for one in parts]


def test_whoever_may_not_read_texts_sees_nothing_of_what_is_said_of_them(site: Site) -> None:
    study = a_study(site, OWN)
    document = a_document(site, study, TEXT)
    results(site, study)
    put(site, study, document_id=document)
    assert "anaemia" in page(site.someone("reader"), study)
    assert "anaemia" not in page(site.someone("researcher"), study)


def test_what_releases_and_laboratories_write_stays_text(site: Site) -> None:
    """B10: names of findings and columns, values, units, rules, notes and reasons are data."""
    study = a_study(site, OWN)
    results(site, study)
    document = a_document(site, study, PAYLOAD)
    said = {"findings": [finding(concept=PAYLOAD, rule=PAYLOAD, reason=PAYLOAD)], "notes": [PAYLOAD]}
    values = {"findings": {**said, "signed_by": PAYLOAD}, "release": PAYLOAD, "unexplained": PAYLOAD}
    row = led(name=PAYLOAD, given=PAYLOAD, unit=PAYLOAD)[0] | {"finding": PAYLOAD}
    put(site, study, **values, attributions=[row])
    word = {**row, "parts": [{"start": 0, "stop": 4, "value": 1.0}]}
    put(site, study, **{**values, "id": "t"}, document_id=document, attributions=[word])
    put(site, study, id="u", release="other@1", state="unavailable", findings={}, reason=PAYLOAD)
    shown = page(site.someone("reader"), study)
    assert "<img src=x" not in shown
    assert shown.count("&lt;img src=x onerror=alert(1)&gt;") > 10


def test_both_languages_say_the_same_things() -> None:
    folder = files("diascope.serve.room").joinpath("catalogue")
    english, chinese = (
        json.loads(folder.joinpath(f"statements.{lang}.json").read_text(encoding="utf-8")) for lang in ("en", "zh-CN")
    )
    assert list(english) == list(chinese)
    blanks = re.compile(r"\{\w+\}")
    assert {key: sorted(blanks.findall(text)) for key, text in english.items()} == {
        key: sorted(blanks.findall(text)) for key, text in chinese.items()
    }
