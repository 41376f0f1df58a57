"""Laboratory results and texts beside the pictures, in the browser: tabs by keys, marks, filters, and payloads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from diascope.serve.database import tables
from diascope.serve.database.beside_tables import marks
from diascope.serve.jobs.worker import Worker
from diascope.serve.room.static import built
from diascope.testing.beside_calls import MARKER, a_document, a_marker, a_report, an_observation
from diascope.testing.objects import uids
from diascope.testing.reading import (
    a_rule,
    a_signed_release,
    a_volume,
    arrive,
    become_complete,
    rows_of,
    work_off,
)
from diascope.testing.serving import served
from diascope.testing.web import Site, a_site

pytestmark = [pytest.mark.browser, pytest.mark.skipif(built() is None, reason="the pages are not built (make web)")]
STUDY = uids(1)[0]
AXE = Path(__file__).parents[2] / "web/node_modules/axe-core/axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
REPORT = "Findings: nodule in the left lung, 8 mm.\nno effusion\n印象：左肺结节。"
PAYLOADS = (
    "<script>document.title='hacked'</script>",
    "<img src=x onerror=\"document.title='hacked'\">",
    "'\"><svg onload=document.title='hacked'>",
    "{{constructor.constructor('return 1')()}}",
    "</textarea><iframe srcdoc=x>",
)


@pytest.fixture
def place(tmp_path: Any) -> Iterator[tuple[Site, str]]:
    """A study with a release's suggestion, results of two times, a marked text and a DICOM report."""
    site = a_site(tmp_path)
    a_signed_release(site.service)
    a_rule(site.service)
    arrive(site.service, [*a_volume(1), a_report(1)])
    become_complete(site.service)
    work_off(site.service)
    a_marker(site.service)
    for taken, value in ((1.7e9, 1.4), (1.69e9, 1.0)):
        an_observation(site, STUDY, taken=taken, value=value)
    with served(site.app) as url:
        yield site, url


def opened(chromium: Any, place: tuple[Site, str], lang: str = "en", role: str = "reader", **options: Any) -> Any:
    """The study of somebody; `theme` and options of the context."""
    site, url = place
    cookies = {"diascope-language": lang, "diascope-theme": options.pop("theme", "dark"), **site.someone(role).cookies}
    context = chromium.new_context(viewport={"width": options.pop("width", 1366), "height": 768}, **options)
    context.add_cookies([{"name": name, "value": value, "url": url} for name, value in cookies.items()])
    page = context.new_page()
    page.complaints = []
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("console", lambda said: said.type == "error" and page.complaints.append(said.text))
    page.goto(f"{url}/studies/{STUDY}")
    page.wait_for_selector("#viewer canvas")
    return page


def brought(site: Site, text: str) -> str:
    answer = site.someone("steward").post(f"/studies/{STUDY}/documents", json={"text": text})
    work_off(site.service, Worker(site.service))
    return str(answer.json()["id"])


@pytest.mark.parametrize("lang", ["en", "zh-CN"])
def test_results_and_texts_are_reached_by_keys(place, chromium, lang):
    brought(place[0], REPORT)
    page = opened(chromium, place, lang)
    page.focus("#tab-findings")
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("#panel-laboratory:not([hidden]) table")
    assert page.locator("#panel-laboratory .judged.high").count() == 1
    assert page.locator("#panel-findings").is_hidden()
    page.keyboard.press("a")  # a verdict about what is not on the screen
    page.keyboard.press("End")
    page.wait_for_selector("#panel-texts:not([hidden])")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("#text mark")
    assert rows_of(place[0].service, tables.readings) == []
    assert page.complaints == []


def test_marks_are_counted_filtered_and_hidden_with_the_suggestions(place, chromium):
    brought(place[0], REPORT)
    page = opened(chromium, place)
    page.click("#tab-texts")
    page.click("[data-text*=documents]")
    page.wait_for_selector("#text mark")
    assert page.locator("#text mark").all_inner_texts() == ["nodule", "left lung", "effusion", "左肺", "结节"]
    assert page.locator("#text .words").inner_text() == REPORT
    assert page.locator("[data-filter=finding]").inner_text().split() == ["finding", "3"]
    page.click("[data-filter=finding]")
    assert page.locator("#text mark").all_inner_texts() == ["left lung", "左肺"]
    assert page.evaluate("document.activeElement.dataset.filter") == "finding"
    page.click("#without-ai")
    page.wait_for_selector("#text mark", state="detached")
    assert page.locator("#text .words").inner_text() == REPORT
    page.click("#without-ai")
    page.wait_for_selector("#text mark")
    page.click("#text .close")
    assert page.locator("#text").is_hidden()
    assert page.complaints == []


def test_a_text_is_marked_when_it_is_asked_for(place, chromium):
    site = place[0]
    a_document(site, STUDY, "nodule")
    worker = Worker(site.service)
    page = opened(chromium, place, role="steward")
    page.click("#tab-texts")
    page.click(f"[data-release='{MARKER}']")
    page.wait_for_selector("#panel-texts [role=status]")
    work_off(site.service, worker)
    page.wait_for_selector("#text mark")
    assert page.locator("#text mark").all_inner_texts() == ["nodule"]


def test_spans_over_each_other_are_all_told(place, chromium):
    site = place[0]
    document = a_document(site, STUDY, "🫁 left lung nodule")
    spans = [(2, 18, "finding"), (2, 11, "place")]
    row = {"id": "m", "document_id": document, "release": "x@1", "seal": "", "state": "answered", "at": 0.0}
    row["spans"] = [{"label": label, "start": a, "stop": b, "probability": 0.999} for a, b, label in spans]
    site.service.database.change(lambda connection: connection.execute(insert(marks).values(**row)))
    page = opened(chromium, place)
    page.click("#tab-texts")
    page.click("[data-text*=documents]")
    page.wait_for_selector("#text mark")
    found = [(one.inner_text(), one.get_attribute("data-label")) for one in page.locator("#text mark").all()]
    assert found == [("left lung", "finding + place"), (" nodule", "finding")]
    assert page.locator("#text mark").first.get_attribute("title") == "finding, 99 %; place, 99 %"


@pytest.mark.skipif(not AXE.exists(), reason="the pages are not built (make web)")
@pytest.mark.parametrize(("theme", "width"), [("dark", 1366), ("light", 1366), ("dark", 820)])
def test_axe_finds_nothing_serious_in_any_tab(place, chromium, theme, width):
    """The policy is set aside so that axe can be put into the page."""
    site = place[0]
    an_observation(site, STUDY, name="Sodium", code="", value=120, low=135, high=145)
    a_document(site, STUDY, "no")
    document = brought(site, REPORT)
    page = opened(chromium, place, "zh-CN", "steward", theme=theme, width=width, bypass_csp=True)
    page.add_script_tag(path=AXE)
    found = {}
    for tab in ("findings", "laboratory", "texts"):
        page.click(f"#tab-{tab}")
        if tab == "texts":
            page.click(f"[data-text$='{document}']")
            page.wait_for_selector("#text mark")
        said = page.evaluate("async tags => await axe.run({runOnly: tags})", RULES)
        found[tab] = [one["id"] for one in said["violations"] if one["impact"] in ("serious", "critical")]
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert found == {"findings": [], "laboratory": [], "texts": []}


def test_payloads_in_texts_labels_and_reports_stay_text(place, chromium):
    """B10."""
    site, payload = place[0], "\n".join(PAYLOADS)
    document = a_document(site, STUDY, payload)
    plain = {"document_id": document, "seal": "", "at": 0.0}
    spans = [{"label": PAYLOADS[0], "start": 0, "stop": 30, "probability": None}]
    rows = [
        {**plain, "id": "m", "release": PAYLOADS[1], "state": "answered", "reason": "", "spans": spans},
        {**plain, "id": "n", "release": "other@1", "state": "unavailable", "reason": PAYLOADS[2], "spans": []},
    ]
    site.service.database.change(lambda connection: connection.execute(insert(marks), rows))
    an_observation(site, STUDY, name=PAYLOADS[1], value=None, said=PAYLOADS[0], unit="", code="")
    page = opened(chromium, place)
    title = page.title()
    page.click("#tab-texts")
    page.click("[data-text*=documents]")
    page.wait_for_selector("#text mark")
    assert page.locator("#text .words").inner_text() == payload
    page.select_option("#text-release", "other@1")
    page.wait_for_selector("#text mark", state="detached")
    assert PAYLOADS[2] in page.locator("#panel-texts").inner_text()
    page.click("[data-text*=instances]")
    page.wait_for_selector("#text h2:text('Basic Text SR')")
    assert "Finding: No nodule." in page.locator("#text .words").inner_text()
    assert page.locator("main iframe, main img[onerror], main script:not([type='application/json'])").count() == 0
    assert page.title() == title
    assert page.complaints == []
